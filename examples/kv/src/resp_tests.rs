use super::*;

fn decode_all(decoder: &mut Decoder, input: &[u8]) -> Result<Vec<Vec<String>>, ProtocolError> {
    let mut buffer = BytesMut::from(input);
    let mut requests = Vec::new();
    while let Some(request) = decoder.decode(&mut buffer)? {
        requests.push(
            request
                .iter()
                .map(|word| word.escape_ascii().to_string())
                .collect(),
        );
    }
    Ok(requests)
}

fn decode(input: &[u8]) -> Result<Vec<Vec<String>>, ProtocolError> {
    decode_all(&mut Decoder::default(), input)
}

fn encoded(reply: &Reply) -> String {
    let mut out = BytesMut::new();
    reply.encode(&mut out);
    String::from_utf8(out.to_vec()).unwrap()
}

#[test]
fn requests_are_taken_one_after_the_other() {
    let requests = decode(b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n*1\r\n$4\r\nPING\r\nPING\r\n").unwrap();
    assert_eq!(requests, [vec!["GET", "a"], vec!["PING"], vec!["PING"]]);
}

#[test]
fn a_request_may_arrive_byte_by_byte() {
    let input = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4\r\na\r\nb\r\nECHO 'x y'\r\n*1\r\n$4\r\nPING\r\n";
    let mut decoder = Decoder::default();
    let mut buffer = BytesMut::new();
    let mut requests = Vec::new();
    for &byte in input {
        buffer.put_u8(byte);
        requests.extend(decoder.decode(&mut buffer).unwrap());
    }
    assert_eq!(
        requests,
        [
            vec![Bytes::from("SET"), "k".into(), "a\r\nb".into()],
            vec!["ECHO".into(), "x y".into()],
            vec!["PING".into()],
        ]
    );
    assert!(buffer.is_empty());
}

#[test]
fn empty_requests_are_skipped() {
    assert_eq!(decode(b"\r\n*0\r\n*-1\r\n  \nPING\n").unwrap(), [["PING"]]);
}

#[test]
fn words_of_inline_requests_may_be_quoted() {
    let requests = decode(b"SET \"a b\" 'it\\'s'  \"\\x41\\n\\\"\" \"\"\r\n").unwrap();
    assert_eq!(requests, [["SET", "a b", r"it\'s", r#"A\n\""#, ""]]);
    for unbalanced in [
        &b"GET \"a\r\n"[..],
        b"GET 'a\r\n",
        b"GET \"a\"b\r\n",
        b"GET \"a\\\r\n",
    ] {
        assert_eq!(decode(unbalanced), Err(ProtocolError::UnbalancedQuotes));
    }
}

#[test]
fn nonsense_is_an_error() {
    for (input, error) in [
        (&b"*x\r\n"[..], ProtocolError::InvalidArgumentCount),
        (
            b"*99999999999999999999\r\n",
            ProtocolError::InvalidArgumentCount,
        ),
        (b"*1\r\n$-1\r\n", ProtocolError::InvalidArgumentLength),
        (b"*1\r\n$+1\r\n", ProtocolError::InvalidArgumentLength),
        (b"*1\r\n$\r\n", ProtocolError::InvalidArgumentLength),
        (b"*1\r\n:1\r\n", ProtocolError::ExpectedArgument(b':')),
        (b"*1\r\n$1\r\nabc", ProtocolError::MissingLineEnd),
    ] {
        assert_eq!(decode(input), Err(error), "{}", input.escape_ascii());
    }
}

#[test]
fn what_a_request_may_cost_is_limited() {
    let limits = Limits {
        line: 8,
        argument: 4,
        arguments: 2,
        request: 6,
    };
    for (input, error) in [
        (&b"PING 12345\r\n"[..], ProtocolError::LineTooLong),
        (b"no line end", ProtocolError::LineTooLong),
        (b"*3\r\n", ProtocolError::InvalidArgumentCount),
        (b"*1\r\n$5\r\n", ProtocolError::InvalidArgumentLength),
        (b"*2\r\n$4\r\nabcd\r\n$3\r\n", ProtocolError::RequestTooBig),
    ] {
        let decoded = decode_all(&mut Decoder::new(limits), input);
        assert_eq!(decoded, Err(error), "{}", input.escape_ascii());
    }
    // The size is that of one request, not of all.
    let two = b"*2\r\n$4\r\nabcd\r\n$2\r\nab\r\n*2\r\n$4\r\nabcd\r\n$2\r\nab\r\n";
    assert_eq!(decode_all(&mut Decoder::new(limits), two).unwrap().len(), 2);
}

#[test]
fn replies_are_encoded() {
    for (reply, expected) in [
        (Reply::OK, "+OK\r\n"),
        (Reply::Error("ERR a\r\nb".into()), "-ERR a  b\r\n"),
        (Reply::Integer(0), ":0\r\n"),
        (Reply::Integer(i64::MIN), ":-9223372036854775808\r\n"),
        (Reply::Integer(1234567), ":1234567\r\n"),
        (Reply::bulk("a\r\n"), "$3\r\na\r\n\r\n"),
        (Reply::Null, "$-1\r\n"),
        (
            Reply::Array(vec![Reply::bulk("a"), Reply::Array(vec![])]),
            "*2\r\n$1\r\na\r\n*0\r\n",
        ),
    ] {
        assert_eq!(encoded(&reply), expected);
    }
}

#[test]
fn a_number_is_digits_and_nothing_else() {
    assert_eq!(number(b"-12"), Some(-12));
    for text in [&b""[..], b"+1", b" 1", b"1 ", b"1a", b"9223372036854775808"] {
        assert_eq!(number(text), None);
    }
}
