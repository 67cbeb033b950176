//! Puts the app's settings and permissions into the program.

fn main() {
    tauri_build::build();
}
