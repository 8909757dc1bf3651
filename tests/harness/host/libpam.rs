//! The application's side of libpam.

use std::{
    ffi::{CString, c_char, c_int, c_uint, c_void},
    io, ptr, slice,
    time::{Duration, Instant},
};

use harness::protocol::{Answer, Call, Ended, Request};

const PAM_SUCCESS: c_int = 0;
const PAM_BUF_ERR: c_int = 5;
const PAM_USER: c_int = 2;
const PAM_TTY: c_int = 3;
const PAM_RHOST: c_int = 4;
const PAM_RUSER: c_int = 8;
const PAM_FAIL_DELAY: c_int = 10;

/// `struct pam_message`
#[repr(C)]
struct Message {
    style: c_int,
    text: *const c_char,
}

/// `struct pam_response`
#[repr(C)]
struct Response {
    text: *mut c_char,
    code: c_int,
}

type Converse =
    extern "C" fn(c_int, *const *const Message, *mut *mut Response, *mut c_void) -> c_int;

/// `struct pam_conv`
#[repr(C)]
struct Conversation {
    converse: Option<Converse>,
    data: *mut c_void,
}

/// `pam_handle_t`
#[repr(C)]
struct Handle {
    _opaque: [u8; 0],
}

#[link(name = "pam")]
unsafe extern "C" {
    fn pam_start(
        service: *const c_char,
        user: *const c_char,
        conv: *const Conversation,
        handle: *mut *mut Handle,
    ) -> c_int;
    fn pam_end(handle: *mut Handle, status: c_int) -> c_int;
    fn pam_set_item(handle: *mut Handle, item: c_int, value: *const c_void) -> c_int;
    fn pam_get_item(handle: *const Handle, item: c_int, value: *mut *const c_void) -> c_int;
    fn pam_putenv(handle: *mut Handle, entry: *const c_char) -> c_int;
    fn pam_authenticate(handle: *mut Handle, flags: c_int) -> c_int;
    fn pam_setcred(handle: *mut Handle, flags: c_int) -> c_int;
    fn pam_acct_mgmt(handle: *mut Handle, flags: c_int) -> c_int;
    fn pam_open_session(handle: *mut Handle, flags: c_int) -> c_int;
    fn pam_chauthtok(handle: *mut Handle, flags: c_int) -> c_int;
}

unsafe extern "C" {
    fn calloc(count: usize, size: usize) -> *mut c_void;
    fn fork() -> c_int;
    fn waitpid(pid: c_int, status: *mut c_int, options: c_int) -> c_int;
    fn _exit(code: c_int) -> !;
}

/// What the callbacks know of the login.
struct Talk<'a> {
    ask: &'a mut dyn FnMut(Vec<(i32, Vec<u8>)>) -> Answer,
    waited: Duration,
    delay_us: u32,
}

/// Runs one login; `ask` is its conversation.
pub(crate) fn login(
    request: &Request,
    ask: &mut dyn FnMut(Vec<(i32, Vec<u8>)>) -> Answer,
) -> Ended {
    let mut talk = Talk { ask, waited: Duration::ZERO, delay_us: 0 };
    let data = ptr::from_mut(&mut talk).cast::<c_void>();
    let conversation =
        Conversation { converse: (!request.mute).then_some(converse as Converse), data };
    let service = c_string(request.service.as_bytes());
    let user = request.user.as_deref().map(c_string);
    let mut handle = ptr::null_mut();
    let mut ended = Ended::default();
    // SAFETY: the strings are NUL-terminated and `talk` outlives the handle, which ends below.
    unsafe {
        ended.code = pam_start(
            service.as_ptr(),
            user.as_ref().map_or(ptr::null(), |u| u.as_ptr()),
            &raw const conversation,
            &raw mut handle,
        );
    }
    if ended.code != PAM_SUCCESS {
        return ended;
    }
    prepare(handle, request);
    let calls = if request.calls.is_empty() { &[Call::Authenticate][..] } else { &request.calls };
    let start = Instant::now();
    for call in calls {
        // SAFETY: the handle is live and used by this thread only.
        ended.code = unsafe {
            match call {
                Call::Authenticate => pam_authenticate(handle, request.flags),
                Call::Setcred => pam_setcred(handle, 2),
                Call::Account => pam_acct_mgmt(handle, 0),
                Call::Session => pam_open_session(handle, 0),
                Call::Password => pam_chauthtok(handle, 0),
            }
        };
        ended.codes.push(ended.code);
    }
    let took = start.elapsed();
    ended.user = item(handle, PAM_USER);
    // SAFETY: the handle is live and not used again.
    unsafe { pam_end(handle, ended.code) };
    ended.machine_us = took.saturating_sub(talk.waited).as_micros() as u64;
    ended.delay_us = talk.delay_us;
    ended
}

/// Sets the items and the environment that an application sets.
fn prepare(handle: *mut Handle, request: &Request) {
    for (item, value) in
        [(PAM_RHOST, &request.rhost), (PAM_RUSER, &request.ruser), (PAM_TTY, &request.tty)]
    {
        if let Some(value) = value {
            let value = c_string(value.as_bytes());
            // SAFETY: libpam copies the string.
            unsafe { pam_set_item(handle, item, value.as_ptr().cast()) };
        }
    }
    for entry in &request.env {
        let entry = c_string(entry.as_bytes());
        // SAFETY: libpam copies the string.
        unsafe { pam_putenv(handle, entry.as_ptr()) };
    }
    let delayed: extern "C" fn(c_int, c_uint, *mut c_void) = delayed;
    // SAFETY: PAM_FAIL_DELAY is a function with this signature; it gets the conversation's data.
    unsafe { pam_set_item(handle, PAM_FAIL_DELAY, delayed as *const c_void) };
}

/// Called by libpam instead of sleeping: what was asked for is reported, not waited for.
extern "C" fn delayed(_code: c_int, microseconds: c_uint, data: *mut c_void) {
    // SAFETY: the data is the `Talk` of `login`, alive until `pam_end`.
    let talk = unsafe { &mut *data.cast::<Talk<'_>>() };
    talk.delay_us = talk.delay_us.max(microseconds);
}

/// An item that is a string.
fn item(handle: *const Handle, item: c_int) -> Option<Vec<u8>> {
    let mut value = ptr::null();
    // SAFETY: the handle is live; the value stays libpam's and is copied at once.
    unsafe {
        if pam_get_item(handle, item, &raw mut value) != PAM_SUCCESS || value.is_null() {
            return None;
        }
        Some(std::ffi::CStr::from_ptr(value.cast()).to_bytes().to_vec())
    }
}

/// The conversation function.
extern "C" fn converse(
    count: c_int,
    messages: *const *const Message,
    responses: *mut *mut Response,
    data: *mut c_void,
) -> c_int {
    let count = usize::try_from(count).unwrap_or(0);
    // SAFETY: libpam passes `count` messages, a place for the responses and the data of `login`.
    let (messages, talk) =
        unsafe { (slice::from_raw_parts(messages, count), &mut *data.cast::<Talk<'_>>()) };
    let texts = messages.iter().map(|message| {
        // SAFETY: each message is valid and its text is a string.
        unsafe {
            ((**message).style, std::ffi::CStr::from_ptr((**message).text).to_bytes().to_vec())
        }
    });
    let start = Instant::now();
    let answer = (talk.ask)(texts.collect());
    talk.waited += start.elapsed();
    let replies = match answer {
        Answer::Error(code) => return code,
        Answer::Replies(replies) => replies,
    };
    // SAFETY: the module frees each reply and the array with free(), so they come from calloc();
    // every copy stays within its own allocation.
    unsafe {
        let array = calloc(count.max(1), size_of::<Response>()).cast::<Response>();
        if array.is_null() {
            return PAM_BUF_ERR;
        }
        for (n, reply) in replies.iter().take(count).enumerate() {
            if let Some(reply) = reply {
                let text = calloc(reply.len() + 1, 1).cast::<u8>();
                ptr::copy_nonoverlapping(reply.as_ptr(), text, reply.len());
                (*array.add(n)).text = text.cast();
            }
        }
        *responses = array;
    }
    PAM_SUCCESS
}

/// Forks a process for each login, releases all of them at once and returns their codes.
pub(crate) fn race(logins: &[(Request, Vec<u8>)]) -> io::Result<Vec<i32>> {
    let (gate, opener) = io::pipe()?;
    let mut children = Vec::with_capacity(logins.len());
    for (request, reply) in logins {
        // SAFETY: this process has one thread, so the child may do anything.
        match unsafe { fork() } {
            -1 => return Err(io::Error::last_os_error()),
            0 => {
                drop(opener);
                let _ = io::Read::read(&mut &gate, &mut [0]);
                let ended = login(request, &mut |messages| {
                    Answer::Replies(vec![Some(reply.clone()); messages.len()])
                });
                // SAFETY: ends the child without running what the parent has registered.
                unsafe { _exit(ended.code) }
            }
            child => children.push(child),
        }
    }
    drop(opener);
    let codes = children.into_iter().map(|child| {
        let mut status = 0;
        // SAFETY: waits for a child of this process.
        unsafe { waitpid(child, &raw mut status, 0) };
        if status & 0x7f == 0 { (status >> 8) & 0xff } else { -(status & 0x7f) }
    });
    Ok(codes.collect())
}

/// A C string; what follows a NUL is lost, as it is for every C application.
fn c_string(bytes: &[u8]) -> CString {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    CString::new(&bytes[..end]).unwrap_or_default()
}
