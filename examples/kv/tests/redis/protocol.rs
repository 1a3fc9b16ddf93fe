//! Requests that Redis's own clients would not send.

use crate::Case;
use crate::server::Server;

pub const CASES: &[Case] = &[
    (
        "requests_may_come_in_any_pieces",
        requests_may_come_in_any_pieces,
    ),
    (
        "nonsense_is_answered_and_ends_the_connection",
        nonsense_is_answered_and_ends_the_connection,
    ),
    (
        "a_request_that_is_too_big_is_refused_before_it_is_sent",
        a_request_that_is_too_big_is_refused_before_it_is_sent,
    ),
    (
        "who_listens_can_only_change_what_it_listens_to",
        who_listens_can_only_change_what_it_listens_to,
    ),
    (
        "a_slow_subscriber_is_dropped_and_the_others_hear_all",
        a_slow_subscriber_is_dropped_and_the_others_hear_all,
    ),
    (
        "ctrl_c_closes_every_connection_and_ends_without_error",
        ctrl_c_closes_every_connection_and_ends_without_error,
    ),
];

fn requests_may_come_in_any_pieces(server: &mut Server) {
    let mut client = server.connect();
    for byte in b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$4\r\n\r\n\r\n\r\n" {
        client.send(&[*byte]);
    }
    client.expect("+OK\r\n");
    client.send(b"GET a\r\nPING\n*1\r\n$4\r\nPING\r\n*2\r\n$4\r\nECHO\r\n$1\r\nx\r\n*1\r\n$4");
    client.expect("$4\r\n\r\n\r\n\r\n+PONG\r\n+PONG\r\n$1\r\nx\r\n");
    client.send(b"\r\nQUIT\r\n");
    assert_eq!(client.rest(), "+OK\r\n");
}

fn nonsense_is_answered_and_ends_the_connection(server: &mut Server) {
    for (sent, reply) in [
        (
            "PING\r\n*1\r\n:1\r\n",
            "+PONG\r\n-ERR Protocol error: expected '$', got ':'\r\n",
        ),
        (
            "*x\r\n",
            "-ERR Protocol error: invalid multibulk length\r\n",
        ),
        (
            "GET \"a\r\n",
            "-ERR Protocol error: unbalanced quotes in request\r\n",
        ),
    ] {
        let mut client = server.connect();
        client.send(sent.as_bytes());
        assert_eq!(client.rest(), reply);
    }
    // An error of a command is not a protocol error.
    let mut client = server.connect();
    assert!(client.ask("nonsense a").starts_with("-ERR unknown command"));
    assert!(client.ask("get").starts_with("-ERR wrong number"));
    assert_eq!(client.ask("ping"), "+PONG");
}

fn a_request_that_is_too_big_is_refused_before_it_is_sent(server: &mut Server) {
    for sent in ["*2\r\n$3\r\nGET\r\n$1000000000\r\n", "*1000000000\r\n"] {
        let mut client = server.connect();
        client.send(sent.as_bytes());
        let reply = client.rest();
        assert!(reply.starts_with("-ERR Protocol error: invalid"), "{reply}");
    }
    let mut client = server.connect();
    client.send(&[b'x'; 100_000]);
    assert_eq!(client.rest(), "-ERR Protocol error: too big line\r\n");
}

fn who_listens_can_only_change_what_it_listens_to(server: &mut Server) {
    let mut client = server.connect();
    client.send(b"SUBSCRIBE a b\r\nPSUBSCRIBE c*\r\nPING\r\nPING x\r\n");
    client.expect(
        "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n",
    );
    client.expect("*3\r\n$10\r\npsubscribe\r\n$2\r\nc*\r\n:3\r\n");
    client.expect("*2\r\n$4\r\npong\r\n$0\r\n\r\n*2\r\n$4\r\npong\r\n$1\r\nx\r\n");
    assert!(client.ask("GET a").starts_with("-ERR Can't execute 'GET'"));

    let mut other = server.connect();
    assert_eq!(other.ask("PUBLISH cat meow"), ":1");
    client.expect("*4\r\n$8\r\npmessage\r\n$2\r\nc*\r\n$3\r\ncat\r\n$4\r\nmeow\r\n");

    client.send(b"UNSUBSCRIBE a b\r\nPUNSUBSCRIBE\r\nUNSUBSCRIBE\r\nPING\r\n");
    client.expect("*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:2\r\n*3\r\n$11\r\nunsubscribe\r\n$1\r\nb\r\n:1\r\n");
    client.expect(
        "*3\r\n$12\r\npunsubscribe\r\n$2\r\nc*\r\n:0\r\n*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n",
    );
    client.expect("+PONG\r\n");
    assert_eq!(other.ask("PUBLISH a x"), ":0");
}

fn a_slow_subscriber_is_dropped_and_the_others_hear_all(server: &mut Server) {
    let (mut slow, mut quick, mut publisher) =
        (server.connect(), server.connect(), server.connect());
    for subscriber in [&mut slow, &mut quick] {
        subscriber.send(b"SUBSCRIBE news\r\n");
        subscriber.expect("*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n");
    }
    let payload = "x".repeat(32 * 1024);
    let request = format!(
        "*3\r\n$7\r\nPUBLISH\r\n$4\r\nnews\r\n${}\r\n{payload}",
        payload.len()
    );
    let message = format!(
        "*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n${}\r\n{payload}\r\n",
        payload.len()
    );
    loop {
        let receivers = publisher.ask(&request);
        quick.expect(&message);
        if receivers == ":1" {
            break;
        }
        assert_eq!(receivers, ":2");
    }
    // Its stream of messages, and the connection, end early.
    let heard = slow.rest();
    assert!(heard.starts_with(&message));
    while !server.log().contains("dropped: it does not read") {
        std::thread::yield_now();
    }
    assert_eq!(publisher.ask("PING"), "+PONG");
    assert_eq!(publisher.ask("PUBLISH news x"), ":1");
    quick.expect("*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$1\r\nx\r\n");
}

fn ctrl_c_closes_every_connection_and_ends_without_error(server: &mut Server) {
    let (mut idle, mut listening, mut busy) =
        (server.connect(), server.connect(), server.connect());
    assert_eq!(idle.ask("SET a 1"), "+OK");
    listening.send(b"SUBSCRIBE news\r\n");
    listening.expect("*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n");
    busy.send(b"INCR a\r\nGET ");
    busy.expect(":2\r\n");
    server.interrupt();
    for client in [&mut idle, &mut listening, &mut busy] {
        assert_eq!(client.rest(), "");
    }
    let (status, output) = server.wait();
    assert!(status.success(), "{status}");
    assert_eq!(output, "bye\n");
    assert_eq!(server.log(), "");
}
