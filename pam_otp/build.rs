//! Link options of the module.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // libpam unloads a module after each login. What std keeps for the life of a process (its panic
    // hook, thread-local data) must outlive that, and a second load must find the first one.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    // A symbol that nothing provides is an error here, not at somebody's login.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,defs");
}
