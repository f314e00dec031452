//! Pure rendering of the model.
