//! The app as a program of a desktop; phones and tablets call the library.

#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

fn main() {
    neonpro_app::run();
}
