//! The calls to libpam and the kernel's C interface that no safe crate wraps. The only file of the
//! module with unsafe code of its own.
#![allow(unsafe_code)]

use std::{
    ffi::{CStr, CString, c_char, c_int, c_uint},
    time::Duration,
};

use pam::{
    items::{AuthTok, Item as _},
    module::PamHandle,
};
use zbus::{
    Message,
    wire::{
        Endian,
        serialized::{Context, Data},
    },
};

#[link(name = "pam")]
unsafe extern "C" {
    fn pam_syslog(handle: *const PamHandle, priority: c_int, format: *const c_char, ...);
    fn pam_fail_delay(handle: *mut PamHandle, microseconds: c_uint) -> c_int;
    fn pam_getenv(handle: *mut PamHandle, name: *const c_char) -> *const c_char;
    fn pam_modutil_getpwnam(handle: *mut PamHandle, user: *const c_char) -> *mut libc::passwd;
}

/// Logs `message` to syslog's authpriv facility under libpam's own prefix (module, service, type).
/// `priority` is one of `libc::LOG_*`.
pub(crate) fn syslog(handle: &PamHandle, priority: c_int, message: &CStr) {
    // SAFETY: `handle` is the live handle that libpam passed in; the format takes one C string,
    // which `message` is; libpam keeps neither.
    unsafe { pam_syslog(handle, priority, c"%s".as_ptr(), message.as_ptr()) }
}

/// Asks libpam to wait for about `delay` if the login fails as a whole.
pub(crate) fn fail_delay(handle: &mut PamHandle, delay: Duration) {
    let microseconds = c_uint::try_from(delay.as_micros()).unwrap_or(c_uint::MAX);
    // SAFETY: `handle` is the live handle that libpam passed in; the call stores a number in it.
    // It fails only for a null handle.
    let _ = unsafe { pam_fail_delay(handle, microseconds) };
}

/// A variable of the PAM environment, which is not the process environment.
pub(crate) fn getenv(handle: &mut PamHandle, name: &CStr) -> Option<Vec<u8>> {
    // SAFETY: `handle` is the live handle that libpam passed in; `name` is a C string that libpam
    // does not keep.
    let value = unsafe { pam_getenv(handle, name.as_ptr()) };
    if value.is_null() {
        return None;
    }
    // SAFETY: libpam answers with a C string of its own, which stays until the variable is changed;
    // it is copied before anything else is called.
    Some(unsafe { CStr::from_ptr(value) }.to_bytes().to_vec())
}

/// The user id of an account, if there is one.
pub(crate) fn uid_of(handle: &mut PamHandle, user: &str) -> Option<u32> {
    let user = CString::new(user).ok()?;
    // SAFETY: `handle` is the live handle that libpam passed in; `user` is a C string that libpam
    // does not keep.
    let entry = unsafe { pam_modutil_getpwnam(handle, user.as_ptr()) };
    // SAFETY: the entry is null or valid until the handle ends; libpam owns it. One number is read.
    unsafe { entry.as_ref() }.map(|entry| entry.pw_uid)
}

/// Makes `password` the PAM_AUTHTOK that the next modules of the stack see; whether libpam took it.
pub(crate) fn set_authtok(handle: &mut PamHandle, password: &CStr) -> bool {
    // SAFETY: the pointer is that of a C string which outlives the item; libpam copies it.
    let item = unsafe { AuthTok::from_raw(password.as_ptr()) };
    handle.set_item_str(item).is_ok()
}

/// Reads one whole message that came from a socket.
///
/// # Errors
///
/// What the D-Bus format does not allow.
pub(crate) fn message(bytes: Vec<u8>, endian: Endian) -> zbus::Result<Message> {
    // SAFETY: the function is unsafe because it takes bytes of any origin, so that the message may
    // fail to be read. It checks the header just as zbus checks one that it receives, and the body
    // is checked while it is read. Neither touches memory beyond `bytes`.
    unsafe { Message::from_bytes(Data::new(bytes, Context::new(endian, 0))) }
}
