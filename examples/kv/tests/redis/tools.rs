//! Sessions of `redis-cli` and `redis-benchmark`.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use crate::Case;
use crate::server::Server;

pub const CASES: &[Case] = &[
    ("a_session_of_redis_cli", a_session_of_redis_cli),
    ("keys_expire", keys_expire),
    (
        "what_one_client_publishes_another_hears",
        what_one_client_publishes_another_hears,
    ),
    (
        "a_pipeline_is_answered_in_full",
        a_pipeline_is_answered_in_full,
    ),
    (
        "increments_of_concurrent_clients_add_up",
        increments_of_concurrent_clients_add_up,
    ),
    (
        "redis_benchmark_ends_without_error",
        redis_benchmark_ends_without_error,
    ),
];

/// Returns the tools that are not installed.
pub fn missing() -> Option<String> {
    let runs = |tool: &&str| {
        let version = Command::new(tool)
            .arg("--version")
            .stdout(Stdio::null())
            .status();
        version.is_ok_and(|status| status.success())
    };
    let tools = ["redis-cli", "redis-benchmark"];
    let missing: Vec<_> = tools.into_iter().filter(|tool| !runs(tool)).collect();
    (!missing.is_empty()).then(|| missing.join(" and "))
}

fn tool(name: &str, server: &Server, arguments: &[&str]) -> Command {
    let mut command = Command::new(name);
    let port = server.address.port().to_string();
    command
        .args(["-h", "127.0.0.1", "-p", &port])
        .args(arguments);
    command.stdin(Stdio::null());
    command
}

fn output(mut command: Command) -> String {
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {stderr}");
    assert_eq!(stderr, "", "{command:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs one command. Returns the reply as text.
fn cli(server: &Server, arguments: &[&str]) -> String {
    let mut all = vec!["--no-raw"];
    all.extend(arguments);
    output(tool("redis-cli", server, &all))
        .trim_end()
        .to_owned()
}

fn integer(reply: &str) -> i64 {
    let number = reply.strip_prefix("(integer) ").map(str::parse);
    match number {
        Some(Ok(number)) => number,
        _ => panic!("expected a number, not {reply}"),
    }
}

/// Runs `redis-cli` with this standard input.
fn feed(server: &Server, arguments: &[&str], input: &[u8]) -> String {
    let mut command = tool("redis-cli", server, arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut process = command.spawn().unwrap();
    process.stdin.take().unwrap().write_all(input).unwrap();
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success(), "{command:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn a_session_of_redis_cli(server: &mut Server) {
    let script = [
        ("PING", "PONG"),
        ("PING hi", "\"hi\""),
        ("ECHO \"two words\"", "\"two words\""),
        ("SELECT 0", "OK"),
        ("SELECT 1", "(error) ERR DB index is out of range"),
        ("GET nothing", "(nil)"),
        ("SET greeting \"hello\\nworld\"", "OK"),
        ("get greeting", "\"hello\\nworld\""),
        ("SET greeting x NX", "(nil)"),
        ("SET other x XX", "(nil)"),
        ("SET other x NX EX 100", "OK"),
        ("SET other y XX KEEPTTL", "OK"),
        ("TTL other", "(integer) 100"),
        ("PERSIST other", "(integer) 1"),
        ("TTL other", "(integer) -1"),
        ("PTTL nothing", "(integer) -2"),
        (
            "SET a b EX 0",
            "(error) ERR invalid expire time in 'set' command",
        ),
        ("SET a b EX 1 PX 1", "(error) ERR syntax error"),
        ("SET a b EX", "(error) ERR syntax error"),
        ("SET a b NX XX", "(error) ERR syntax error"),
        (
            "SET a b EX x",
            "(error) ERR value is not an integer or out of range",
        ),
        ("EXISTS greeting other greeting nothing", "(integer) 3"),
        ("DEL greeting nothing", "(integer) 1"),
        ("EXPIRE nothing 10", "(integer) 0"),
        ("EXPIRE other 10", "(integer) 1"),
        (
            "EXPIRE other 9223372036854775807",
            "(error) ERR invalid expire time in 'expire' command",
        ),
        ("EXPIRE other -1", "(integer) 1"),
        ("GET other", "(nil)"),
        ("INCR n", "(integer) 1"),
        ("INCRBY n 41", "(integer) 42"),
        ("DECR n", "(integer) 41"),
        ("DECRBY n 42", "(integer) -1"),
        (
            "DECRBY n -9223372036854775808",
            "(error) ERR increment or decrement would overflow",
        ),
        ("APPEND text ab", "(integer) 2"),
        ("APPEND text cd", "(integer) 4"),
        ("STRLEN text", "(integer) 4"),
        (
            "INCR text",
            "(error) ERR value is not an integer or out of range",
        ),
        ("MSET a 1 b 2", "OK"),
        (
            "MSET a 1 b",
            "(error) ERR wrong number of arguments for 'mset' command",
        ),
        ("MGET a nothing b", "1) \"1\"\n2) (nil)\n3) \"2\""),
        ("DBSIZE", "(integer) 4"),
        ("PUBLISH nobody x", "(integer) 0"),
        ("CONFIG GET SAVE", "1) \"save\"\n2) \"\""),
        ("COMMAND DOCS get", "(empty array)"),
        ("FLUSHALL", "OK"),
        ("DBSIZE", "(integer) 0"),
        (
            "GET",
            "(error) ERR wrong number of arguments for 'get' command",
        ),
    ];
    let commands: String = script
        .iter()
        .map(|(command, _)| format!("{command}\n"))
        .collect();
    let replies = feed(server, &["--no-raw"], commands.as_bytes());
    let mut replies = replies.as_str();
    for (command, expected) in script {
        // After an error there is an empty line.
        replies = replies.trim_start_matches('\n');
        let rest = replies
            .strip_prefix(expected)
            .and_then(|rest| rest.strip_prefix('\n'));
        replies = rest.unwrap_or_else(|| panic!("{command}: expected {expected}, not {replies}"));
    }
    assert_eq!(replies.trim(), "");
    assert!(cli(server, &["INFO"]).contains("connected_clients:1"));
}

fn keys_expire(server: &mut Server) {
    assert_eq!(cli(server, &["SET", "short", "x", "PX", "100"]), "OK");
    assert_eq!(cli(server, &["SET", "long", "x", "EX", "100000"]), "OK");
    let left = integer(&cli(server, &["PTTL", "long"]));
    assert!((1..=100_000_000).contains(&left), "{left}");
    // The key is not accessed: the server drops it by itself.
    while integer(&cli(server, &["DBSIZE"])) > 1 {}
    assert_eq!(cli(server, &["GET", "short"]), "(nil)");
    assert_eq!(cli(server, &["EXISTS", "long"]), "(integer) 1");
    assert_eq!(cli(server, &["PEXPIRE", "long", "1"]), "(integer) 1");
    while cli(server, &["GET", "long"]) != "(nil)" {}
    assert_eq!(cli(server, &["TTL", "long"]), "(integer) -2");
}

/// A subscribed `redis-cli`, ended on drop.
struct Listener {
    process: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Listener {
    fn start(server: &Server, arguments: &[&str]) -> Self {
        let mut command = tool("redis-cli", server, arguments);
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap());
        Self { process, lines }
    }

    #[track_caller]
    fn expect(&mut self, lines: &[&str]) {
        for expected in lines {
            let mut line = String::new();
            self.lines.read_line(&mut line).unwrap();
            assert_eq!(line.trim_end(), *expected);
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn what_one_client_publishes_another_hears(server: &mut Server) {
    let mut one = Listener::start(server, &["SUBSCRIBE", "news", "sports"]);
    one.expect(&["subscribe", "news", "1", "subscribe", "sports", "2"]);
    let mut two = Listener::start(server, &["PSUBSCRIBE", "n*"]);
    two.expect(&["psubscribe", "n*", "1"]);
    assert_eq!(cli(server, &["PUBLISH", "news", "first"]), "(integer) 2");
    assert_eq!(cli(server, &["PUBLISH", "sports", "second"]), "(integer) 1");
    assert_eq!(cli(server, &["PUBLISH", "nothing", "third"]), "(integer) 1");
    one.expect(&["message", "news", "first", "message", "sports", "second"]);
    two.expect(&[
        "pmessage", "n*", "news", "first", "pmessage", "n*", "nothing", "third",
    ]);
    drop(one);
    // The server notices the end of the connection.
    while cli(server, &["PUBLISH", "sports", "x"]) != "(integer) 0" {}
}

fn a_pipeline_is_answered_in_full(server: &mut Server) {
    const COUNT: usize = 10_000;
    let mut requests = Vec::new();
    for n in 0..COUNT {
        write!(
            requests,
            "*3\r\n$3\r\nSET\r\n$7\r\nkey{n:04}\r\n$4\r\n{n:04}\r\n"
        )
        .unwrap();
    }
    let report = feed(server, &["--pipe"], &requests);
    assert!(
        report.contains(&format!("errors: 0, replies: {COUNT}")),
        "{report}"
    );
    assert_eq!(cli(server, &["GET", "key9999"]), "\"9999\"");
    assert_eq!(cli(server, &["DBSIZE"]), format!("(integer) {COUNT}"));
}

fn increments_of_concurrent_clients_add_up(server: &mut Server) {
    let start = |_| {
        let mut client = tool("redis-cli", server, &["-r", "1000", "INCR", "counter"]);
        client.stdout(Stdio::null()).spawn().unwrap()
    };
    let clients: Vec<_> = (0..10).map(start).collect();
    for mut client in clients {
        assert!(client.wait().unwrap().success());
    }
    assert_eq!(cli(server, &["GET", "counter"]), "\"10000\"");
}

fn redis_benchmark_ends_without_error(server: &mut Server) {
    const COUNT: &str = "20000";
    let arguments = [
        "-q",
        "-n",
        COUNT,
        "-c",
        "50",
        "-P",
        "16",
        "-t",
        "set,get,incr,ping",
    ];
    let report = output(tool("redis-benchmark", server, &arguments));
    for test in ["PING_INLINE", "PING_MBULK", "SET", "GET", "INCR"] {
        let done = |line: &str| {
            line.starts_with(&format!("{test}: ")) && line.contains("requests per second")
        };
        assert!(report.split(['\r', '\n']).any(done), "{test} in {report}");
    }
    // It increments one key, once per request.
    assert_eq!(
        cli(server, &["GET", "counter:__rand_int__"]),
        format!("\"{COUNT}\"")
    );
}
