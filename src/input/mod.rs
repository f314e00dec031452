//! Keys, chords, the command table and the command line, as pure data.
