//! The `ostler` program: everything is in the library.

fn main() -> std::process::ExitCode {
    ostler::cli::main()
}
