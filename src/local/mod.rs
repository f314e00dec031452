//! The files of this person: drafts and view state.
