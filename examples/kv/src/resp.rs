//! The protocol, RESP2: bytes to requests, replies to bytes.

use std::fmt;

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// The name of a command and its arguments. Never empty.
pub type Request = Vec<Bytes>;

/// The limits on the memory for a single request.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of a line: an inline request, or the header of an argument.
    pub line: usize,
    /// Bytes of one argument.
    pub argument: usize,
    /// Arguments of a request.
    pub arguments: usize,
    /// Bytes of all arguments of a request.
    pub request: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            line: 64 * 1024,
            argument: 16 * 1024 * 1024,
            arguments: 64 * 1024,
            request: 64 * 1024 * 1024,
        }
    }
}

/// The client violates the protocol or exceeds a limit. The connection cannot continue.
#[derive(Debug, PartialEq, Eq)]
pub enum ProtocolError {
    LineTooLong,
    InvalidArgumentCount,
    InvalidArgumentLength,
    ExpectedArgument(u8),
    MissingLineEnd,
    UnbalancedQuotes,
    RequestTooBig,
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Protocol error: ")?;
        match self {
            Self::LineTooLong => f.write_str("too big line"),
            Self::InvalidArgumentCount => f.write_str("invalid multibulk length"),
            Self::InvalidArgumentLength => f.write_str("invalid bulk length"),
            Self::ExpectedArgument(got) => write!(f, "expected '$', got '{}'", got.escape_ascii()),
            Self::MissingLineEnd => f.write_str("expected a line end after an argument"),
            Self::UnbalancedQuotes => f.write_str("unbalanced quotes in request"),
            Self::RequestTooBig => f.write_str("too big request"),
        }
    }
}

impl std::error::Error for ProtocolError {}

/// Takes requests from the front of a buffer.
///
/// It keeps the parsed part of an incomplete request, so no byte is parsed twice, however small the
/// pieces in which a request arrives.
#[derive(Debug, Default)]
pub struct Decoder {
    limits: Limits,
    /// The arguments of the current request that have arrived.
    arguments: Request,
    /// The number of missing arguments.
    missing: usize,
    /// The length of the next one, once it is known.
    length: Option<usize>,
    /// The bytes of `arguments`.
    size: usize,
    /// The length of the part of the buffer that contains no line end.
    searched: usize,
}

impl Decoder {
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Returns the next complete request, or `None` if more bytes are needed.
    pub fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Request>, ProtocolError> {
        loop {
            if self.missing > 0 {
                return self.arguments(buffer);
            }
            let Some(mut line) = self.line(buffer)? else {
                return Ok(None);
            };
            if line.first() == Some(&b'*') {
                line.advance(1);
                self.missing = match number(&line) {
                    // An empty request is skipped.
                    Some(i64::MIN..=0) => continue,
                    Some(count) if count as u64 <= self.limits.arguments as u64 => count as usize,
                    _ => return Err(ProtocolError::InvalidArgumentCount),
                };
            } else {
                let request = inline(&line)?;
                if !request.is_empty() {
                    return Ok(Some(request));
                }
            }
        }
    }

    fn arguments(&mut self, buffer: &mut BytesMut) -> Result<Option<Request>, ProtocolError> {
        while self.missing > 0 {
            let length = match self.length {
                Some(length) => length,
                None => match self.length(buffer)? {
                    Some(length) => *self.length.insert(length),
                    None => return Ok(None),
                },
            };
            if buffer.len() < length + 2 {
                return Ok(None);
            }
            let argument = buffer.split_to(length).freeze();
            if !buffer.starts_with(b"\r\n") {
                return Err(ProtocolError::MissingLineEnd);
            }
            buffer.advance(2);
            self.arguments.push(argument);
            self.length = None;
            self.missing -= 1;
        }
        self.size = 0;
        Ok(Some(std::mem::take(&mut self.arguments)))
    }

    /// Returns the length of the next argument, from the line before it.
    fn length(&mut self, buffer: &mut BytesMut) -> Result<Option<usize>, ProtocolError> {
        // Reported before the line is complete, because the client may be waiting for an answer.
        if let Some(&first) = buffer.first().filter(|&&first| first != b'$') {
            return Err(ProtocolError::ExpectedArgument(first));
        }
        let Some(line) = self.line(buffer)? else {
            return Ok(None);
        };
        let length = match number(&line[1..]).map(usize::try_from) {
            Some(Ok(length)) if length <= self.limits.argument => length,
            _ => return Err(ProtocolError::InvalidArgumentLength),
        };
        self.size += length;
        if self.size > self.limits.request {
            return Err(ProtocolError::RequestTooBig);
        }
        Ok(Some(length))
    }

    /// Returns the next line, without its end.
    fn line(&mut self, buffer: &mut BytesMut) -> Result<Option<BytesMut>, ProtocolError> {
        let end = buffer[self.searched..].iter().position(|&b| b == b'\n');
        let end = match end {
            Some(end) => self.searched + end,
            None => {
                self.searched = buffer.len();
                return if self.searched > self.limits.line {
                    Err(ProtocolError::LineTooLong)
                } else {
                    Ok(None)
                };
            }
        };
        if end > self.limits.line {
            return Err(ProtocolError::LineTooLong);
        }
        self.searched = 0;
        let mut line = buffer.split_to(end);
        buffer.advance(1);
        if line.ends_with(b"\r") {
            line.truncate(end - 1);
        }
        Ok(Some(line))
    }
}

/// Parses a decimal number like Redis: an optional minus and digits.
pub fn number(text: &[u8]) -> Option<i64> {
    if text.starts_with(b"+") {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Returns the words of a request that was typed by hand. Quotes group words; escapes such as `\n`
/// and `\x00` work in double quotes.
fn inline(line: &[u8]) -> Result<Request, ProtocolError> {
    let mut words = Request::new();
    let mut rest = line.trim_ascii_start();
    while let Some(&first) = rest.first() {
        let mut word = Vec::new();
        if let quote @ (b'"' | b'\'') = first {
            rest = &rest[1..];
            loop {
                match *rest {
                    [end, ..] if end == quote => break,
                    [b'\\', b'x', high, low, ..] if quote == b'"' && is_hex(high, low) => {
                        word.push(hex(high) << 4 | hex(low));
                        rest = &rest[4..];
                    }
                    [b'\\', escaped, ..] if quote == b'"' || escaped == b'\'' => {
                        word.push(if quote == b'"' {
                            unescape(escaped)
                        } else {
                            escaped
                        });
                        rest = &rest[2..];
                    }
                    [byte, ..] => {
                        word.push(byte);
                        rest = &rest[1..];
                    }
                    [] => return Err(ProtocolError::UnbalancedQuotes),
                }
            }
            rest = &rest[1..];
            if rest.first().is_some_and(|next| !next.is_ascii_whitespace()) {
                return Err(ProtocolError::UnbalancedQuotes);
            }
        } else {
            let end = rest.iter().position(u8::is_ascii_whitespace);
            let (text, after) = rest.split_at(end.unwrap_or(rest.len()));
            word.extend_from_slice(text);
            rest = after;
        }
        words.push(word.into());
        rest = rest.trim_ascii_start();
    }
    Ok(words)
}

fn is_hex(high: u8, low: u8) -> bool {
    high.is_ascii_hexdigit() && low.is_ascii_hexdigit()
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => digit.to_ascii_lowercase() - b'a' + 10,
    }
}

fn unescape(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 8,
        b'a' => 7,
        other => other,
    }
}

/// The reply to a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// A short text of the server's own.
    Simple(&'static str),
    Error(String),
    Integer(i64),
    Bulk(Bytes),
    Null,
    Array(Vec<Reply>),
}

impl Reply {
    pub const OK: Self = Self::Simple("OK");

    pub fn bulk(text: &'static str) -> Self {
        Self::Bulk(Bytes::from_static(text.as_bytes()))
    }

    /// Appends the encoded reply.
    pub fn encode(&self, out: &mut BytesMut) {
        match self {
            Self::Simple(text) => line(out, b'+', text.as_bytes()),
            // A line end in the text would begin another reply.
            Self::Error(text) => line(out, b'-', text.replace(['\r', '\n'], " ").as_bytes()),
            Self::Integer(value) => header(out, b':', *value),
            Self::Bulk(bytes) => {
                header(out, b'$', bytes.len() as i64);
                out.put_slice(bytes);
                out.put_slice(b"\r\n");
            }
            Self::Null => out.put_slice(b"$-1\r\n"),
            Self::Array(items) => {
                header(out, b'*', items.len() as i64);
                for item in items {
                    item.encode(out);
                }
            }
        }
    }
}

fn header(out: &mut BytesMut, kind: u8, value: i64) {
    let mut digits = [0; 20];
    let mut rest = value.unsigned_abs();
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        at -= 1;
        digits[at] = b'-';
    }
    line(out, kind, &digits[at..]);
}

fn line(out: &mut BytesMut, kind: u8, text: &[u8]) {
    out.put_u8(kind);
    out.put_slice(text);
    out.put_slice(b"\r\n");
}

#[cfg(test)]
#[path = "resp_tests.rs"]
mod tests;
