//! Pure types and rules of user tasks: ids, status, forms, values, what may be done and why not.
