//! The figures as Markdown, for the documents of the repository.

use std::fmt::Write as _;
use std::io;

use super::line::Line;
use super::report::Report;
use super::terminal::{cell, contenders, groups};

/// Replaces the figures in `docs/en/performance.md` and its translation.
pub(crate) fn write(report: &Report) -> io::Result<()> {
    let command = format!("cargo run --release -p anyrt-bench -- {}", report.command);
    let machine = report.machine.line();
    let versions = report.machine.versions_line();
    let tables = tables(report);
    let (rounds, seconds) = (report.rounds, report.seconds);
    let mut english = format!(
        "Printed by `{command}` in {seconds:.0} s; rounds: {rounds}; on\n{machine};\n{versions}.\n\n\
         A figure is a median; `!` marks one whose rounds lie more than 15 % apart. In brackets: how many times the\n\
         floor, which has the figure without one.\n"
    );
    let mut chinese = format!(
        "由 `{command}` 在 {seconds:.0} 秒内打印，轮数 {rounds}，机器：\n{machine}；\n{versions}。\n\n\
         数字是中位数；`!` 表示各轮相差超过 15 %。括号里是下限的多少倍，下限自身没有括号。表格与说明是命令的原样输出（英文）。\n"
    );
    for (text, heading) in [
        (&mut english, "#### Which runtime for me?"),
        (&mut chinese, "#### 我该用哪个运行时？"),
    ] {
        for remark in &report.remarks {
            let _ = write!(text, "\n{remark}\n");
        }
        for failure in &report.failures {
            let _ = write!(text, "\nNot measured: {failure}.\n");
        }
        text.push_str(&tables);
        if !report.summary.is_empty() {
            let _ = write!(text, "\n{heading}\n\n");
            for answer in &report.summary {
                let _ = writeln!(text, "- **{}**: {}", answer.question, answer.answer);
            }
        }
    }
    crate::docs::replace("docs/en/performance.md", "compare", &english)?;
    crate::docs::replace("docs/zh/performance.md", "compare", &chinese)
}

fn tables(report: &Report) -> String {
    let mut text = String::new();
    for (group, lines) in groups(report) {
        let contenders = contenders(&lines);
        let _ = write!(text, "\n| {group} | {} |\n|---|", contenders.join(" | "));
        text.push_str(&"---:|".repeat(contenders.len()));
        text.push('\n');
        let mut part: &Option<String> = &None;
        for line in lines {
            if line.row.part != *part {
                part = &line.row.part;
                let title = part.as_deref().unwrap_or_default();
                let _ = writeln!(text, "| **{title}** |{}", " |".repeat(contenders.len()));
            }
            let _ = write!(text, "| {}", title(line));
            for contender in &contenders {
                let _ = write!(text, " | {}", cell(line, contender));
            }
            text.push_str(" |\n");
        }
    }
    text
}

fn title(line: &Line) -> String {
    format!("{}, {}", line.row.title, line.row.unit)
}
