//! How otpctl has otpd's own program do what the daemon does not: import, export, backup, restore
//! and new keys. The program reads frames from its standard input: a request as JSON, then what
//! belongs to it. It answers on standard output, and says on standard error why it failed.

pub mod backup;
pub mod export;
pub mod import;
pub mod restore;
pub mod rotation;

use std::io::{self, Read, Write};

use zeroize::Zeroizing;

/// Longest request in bytes.
pub const REQUEST: u64 = 64 * 1024;
/// Longest file that is imported, in bytes.
pub const FILE: u64 = 64 * 1024 * 1024;

/// What a program that replaces the store or its key writes to its standard output first: it has
/// read what goes when the daemon ends, and waits for that end.
pub const READY: [u8; 6] = *b"ready\n";

/// Writes `bytes` after their length.
///
/// # Errors
/// As the writer's.
pub fn write_frame(to: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    to.write_all(&(bytes.len() as u64).to_be_bytes())?;
    to.write_all(bytes)
}

/// Reads what [`write_frame`] wrote; `None` at the end of the input.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] for more than `longest` bytes,
/// [`io::ErrorKind::UnexpectedEof`] for input that ends within a frame, and as the reader's.
pub fn read_frame(from: &mut impl Read, longest: u64) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let mut length = [0; 8];
    let mut read = 0;
    while let Some(rest) = length.get_mut(read..).filter(|rest| !rest.is_empty()) {
        match from.read(rest) {
            Ok(0) if read == 0 => return Ok(None),
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let length = u64::from_be_bytes(length);
    let room = usize::try_from(length).ok().filter(|_| length <= longest);
    let room = room.ok_or(io::ErrorKind::InvalidData)?;
    // All of the room at once, so that growing leaves no copy behind.
    let mut bytes = Zeroizing::new(vec![0; room]);
    from.read_exact(&mut bytes)?;
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_one_by_one() {
        let mut pipe = Vec::new();
        for frame in [&b"first"[..], b"", b"\0\xff"] {
            write_frame(&mut pipe, frame).unwrap();
        }
        let mut from = pipe.as_slice();
        let mut read = || read_frame(&mut from, 5).unwrap().map(|frame| frame.to_vec());
        assert_eq!(read().unwrap(), b"first");
        assert_eq!(read().unwrap(), b"");
        assert_eq!(read().unwrap(), b"\0\xff");
        assert_eq!(read(), None);
    }

    #[test]
    fn what_is_too_long_or_cut_off_is_an_error() {
        let mut pipe = Vec::new();
        write_frame(&mut pipe, b"first").unwrap();
        let kind = |mut from: &[u8], longest| read_frame(&mut from, longest).unwrap_err().kind();
        assert_eq!(kind(&pipe, 4), io::ErrorKind::InvalidData);
        assert_eq!(kind(&[0xff; 8], u64::MAX - 1), io::ErrorKind::InvalidData);
        for cut in 1..pipe.len() {
            assert_eq!(kind(&pipe[..cut], 5), io::ErrorKind::UnexpectedEof, "{cut}");
        }
    }
}
