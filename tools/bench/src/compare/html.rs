//! The report: one file that loads nothing from elsewhere.

use std::error::Error;
use std::fmt::Write as _;

use super::line::Line;
use super::plan::{ECHO, FILES, HTTP, MEMORY, PROGRAMS, TASKS};
use super::plot;
use super::report::Report;
use super::terminal::{cell, contenders, groups};

const STYLE: &str = include_str!("report.css");

/// Explains the figures of a group in a sentence or two.
fn about(group: &str) -> &'static str {
    match group {
        TASKS => {
            "One thread, on one core. What is between two tasks: how fast they start, how fast the runtime goes from \
             one to the next. The floor is a bare loop that polls boxed futures in turn and knows no wakers; where \
             another thread takes part, two threads that wake each other through eventfds."
        }
        MEMORY => {
            "What waiting costs. A waiting task keeps its waker, as one that waits for a message does. The floor is \
             a list of boxed futures, a heap of deadlines, and a thread that sleeps."
        }
        ECHO => {
            "The server has one thread on one core; the client is a process of its own on another core, or on the same \
             one. Waking a sleeping core takes long on a virtual machine, so with one connection the same core tells \
             more about the runtime. Raw epoll and raw io_uring are the floor: the same server with no runtime. Where \
             requests are due at a fixed rate, latency counts from the moment when a request was due."
        }
        HTTP => {
            "The least server that a keep-alive client accepts: it looks for the empty line and answers. Placed and \
             measured as the echo; the floor is the same over raw epoll and raw io_uring."
        }
        FILES => {
            "Written to the page cache and read from it, so this measures the runtime and not the disk, as far as the \
             file fits into memory. The floor is std on one thread; it alone also wrote the file to the disk \
             (sync_all) and read it from there (with the page cache emptied), which is in the table. Natively, \
             Glommio's files are its buffered ones."
        }
        PROGRAMS => {
            "A hello world spawns a task and joins it; an echo server has a listener and a task per connection. \
             Stripped. The floor is the same with std's threads. The time is that of building the hello world with \
             all that it depends on, in release."
        }
        _ => "",
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// The whole page.
pub(crate) fn page(report: &Report) -> Result<String, Box<dyn Error>> {
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>Four runtimes on this machine</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <header>\n<h1>Four runtimes on this machine</h1>\n<p class=\"lead\">The same program through anyrt on Tokio, \
         Smol, async-std and Glommio.</p>\n<p>{}</p>\n</header>\n",
        escape(&report.machine.line())
    );
    failures(&mut html, report)?;
    summary(&mut html, report)?;
    for (group, lines) in groups(report) {
        section(&mut html, group, &lines)?;
    }
    machine(&mut html, report)?;
    html.push_str("</main>\n</body>\n</html>\n");
    Ok(html)
}

fn summary(html: &mut String, report: &Report) -> Result<(), Box<dyn Error>> {
    if report.summary.is_empty() {
        return Ok(());
    }
    html.push_str("<section>\n<h2>Which runtime for me?</h2>\n<dl class=\"answers\">\n");
    for answer in &report.summary {
        writeln!(
            html,
            "<div><dt>{}</dt><dd>{}<small>{}</small></dd></div>",
            escape(answer.question),
            escape(&answer.answer),
            escape(&answer.row)
        )?;
    }
    html.push_str(
        "</dl>\n<p class=\"note\">Runtimes whose medians are less than 10 % apart, or whose rounds overlap where one \
         of them is unsteady, count as equal. Behaviour is the same on all four, so nothing but the feature flag \
         changes with the answer.</p>\n</section>\n",
    );
    Ok(())
}

/// Lists missing figures and the facts that a reader needs first.
fn failures(html: &mut String, report: &Report) -> Result<(), Box<dyn Error>> {
    for remark in &report.remarks {
        writeln!(html, "<p class=\"remark\">{}</p>", escape(remark))?;
    }
    if report.failures.is_empty() {
        return Ok(());
    }
    html.push_str("<section class=\"remark\">\n<h2>Not measured</h2>\n<ul>\n");
    for failure in &report.failures {
        writeln!(html, "<li>{}</li>", escape(&failure.to_string()))?;
    }
    html.push_str("</ul>\n</section>\n");
    Ok(())
}

fn section(html: &mut String, group: &str, lines: &[&Line]) -> Result<(), Box<dyn Error>> {
    writeln!(
        html,
        "<section>\n<h2>{}</h2>\n<p>{}</p>",
        escape(group),
        about(group)
    )?;
    for lines in lines.chunk_by(|one, next| one.row.part == next.row.part) {
        if let Some(part) = lines.first().and_then(|line| line.row.part.as_ref()) {
            writeln!(html, "<h3>{}</h3>", escape(part))?;
        }
        html.push_str("<div class=\"plots\">\n");
        for line in lines.iter().filter(|line| line.row.plotted) {
            let better = if line.row.higher_is_better {
                "more is better"
            } else {
                "less is better"
            };
            let unit = format!("{}, {better}", line.row.unit);
            figure(html, &line.row.title, &unit, &plot::bars(line)?)?;
        }
        let latencies: Vec<&Line> = lines
            .iter()
            .copied()
            .filter(|line| line.row.is_latency())
            .collect();
        if !latencies.is_empty() {
            let unit = "µs: P50, P99, P99.9 and the longest; less is better";
            figure(html, "Latency", unit, &plot::latencies(&latencies)?)?;
        }
        html.push_str("</div>\n");
    }
    table(html, lines)?;
    html.push_str("</section>\n");
    Ok(())
}

fn figure(html: &mut String, title: &str, unit: &str, svg: &str) -> std::fmt::Result {
    // A caption begins with a capital letter, even if the name in a table does not.
    let mut letters = title.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    let title: String = first.chain(letters).collect();
    writeln!(
        html,
        "<figure>\n<figcaption>{}<small>{}</small></figcaption>\n{svg}</figure>",
        escape(&title),
        escape(unit),
    )
}

fn table(html: &mut String, lines: &[&Line]) -> Result<(), Box<dyn Error>> {
    let contenders = contenders(lines);
    html.push_str("<details>\n<summary>All figures</summary>\n<div class=\"scroll\"><table>\n<thead><tr><th></th>");
    for name in &contenders {
        write!(html, "<th>{}</th>", escape(name))?;
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    let mut part: &Option<String> = &None;
    for line in lines {
        if line.row.part != *part {
            part = &line.row.part;
            writeln!(
                html,
                "<tr class=\"part\"><th colspan=\"{}\">{}</th></tr>",
                contenders.len() + 1,
                escape(part.as_deref().unwrap_or_default())
            )?;
        }
        write!(
            html,
            "<tr><th>{}<small>{}</small></th>",
            escape(&line.row.title),
            escape(line.row.unit)
        )?;
        for name in &contenders {
            let title = line.of(name).map_or_else(String::new, |result| {
                format!(
                    " title=\"{:.2} to {:.2}\"",
                    result.spread.least, result.spread.most
                )
            });
            write!(html, "<td{title}>{}</td>", cell(line, name))?;
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody></table></div>\n</details>\n");
    Ok(())
}

fn machine(html: &mut String, report: &Report) -> Result<(), Box<dyn Error>> {
    let times = if report.rounds == 1 {
        "round"
    } else {
        "rounds"
    };
    writeln!(
        html,
        "<footer>\n<h2>How it was measured</h2>\n<p>Medians of {} {times}, {:.0} s in all. Each measurement is a \
         process of its own, the runtimes in another order each round. Whiskers go from the least to the most; <b>!</b> \
         marks a figure whose rounds lie more than 15 % apart: take it for an order of magnitude. ×1.06 means that the \
         floor, the grey bars and the dashed line, does it 1.06 times as well.</p>\n<p>{}</p>\n\
         <p><code>cargo run --release -p anyrt-bench -- {}</code></p>\n</footer>",
        report.rounds,
        report.seconds,
        escape(&report.machine.versions_line()),
        escape(&report.command)
    )?;
    Ok(())
}
