//! A server that accepts and says nothing, or always the same.

use std::{
    io::Write,
    net::{Ipv4Addr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

/// Accepts every connection, says what it was told to say, and never answers.
pub struct Silent {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    accepted: Arc<AtomicUsize>,
}

impl Silent {
    /// Listens; ends when dropped.
    pub fn start() -> Self {
        Self::saying(b"")
    }

    /// Listens, and says this to everybody.
    pub fn saying(words: &'static [u8]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        listener.set_nonblocking(true).unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&accepted);
        thread::spawn(move || {
            let mut held = Vec::new();
            while Arc::strong_count(&count) > 1 {
                match listener.accept() {
                    Ok((mut stream, _)) => {
                        let _ = stream.write_all(words);
                        held.push(stream);
                        count.fetch_add(1, Ordering::SeqCst);
                    }
                    Err(_) => thread::sleep(Duration::from_millis(5)),
                }
            }
        });
        Self { port, accepted }
    }

    /// How many connections came.
    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}
