//! The plots, as SVG: bars of a row, and the latencies of a server.

use std::error::Error;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::line::{Line, Result};
use super::number::{number, times};
use super::terminal::contenders;

const WIDTH: u32 = 460;
const BAR: i32 = 20;
const GAP: i32 = 10;
const NAMES: i32 = 142;
/// Below the latencies.
const SCALE: i32 = 24;
const MARGIN: i32 = 30;
/// The space for a figure, its mark and its ratio to the floor.
const NUMBERS: i32 = 118;

/// Placeholders in the SVG for colours of the page's style, so that a plot follows dark and light
/// mode.
const INK: RGBColor = RGBColor(1, 2, 3);
const FAINT: RGBColor = RGBColor(1, 2, 4);

fn colour(contender: &str) -> RGBColor {
    match contender.split(',').next() {
        Some("Tokio") => RGBColor(64, 120, 192),
        Some("Smol") => RGBColor(222, 129, 48),
        Some("async-std") => RGBColor(74, 154, 99),
        Some("Glommio") => RGBColor(154, 96, 180),
        _ => RGBColor(138, 143, 152),
    }
}

/// Draws bars from zero, with a whisker from the least to the most of the rounds.
pub(crate) fn bars(line: &Line) -> std::result::Result<String, Box<dyn Error>> {
    let height = line.results.len() as i32 * (BAR + GAP) + GAP;
    svg(height, |area| draw(area, line))
}

/// Draws latencies from the median to the longest, for each contender on a logarithmic scale, with
/// a line for each percentile.
pub(crate) fn latencies(lines: &[&Line]) -> std::result::Result<String, Box<dyn Error>> {
    let contenders = contenders(lines);
    let height = contenders.len() as i32 * (BAR + GAP) + GAP + SCALE;
    let values = |name: &str| -> Vec<f64> {
        let of = lines.iter().filter_map(|line| line.of(name));
        of.map(|result| result.spread.median.max(0.1)).collect()
    };
    let all = contenders.iter().flat_map(|name| values(name));
    let (least, most) = all.fold((f64::MAX, 0.1_f64), |(least, most), value| {
        (least.min(value), most.max(value))
    });
    let (from, to) = (
        least.log10().floor(),
        (most.log10().ceil()).max(least.log10().floor() + 1.0),
    );
    let room = f64::from(WIDTH as i32 - NAMES - MARGIN);
    let x = |value: f64| NAMES + ((value.log10() - from) / (to - from) * room).round() as i32;
    svg(height, |area| {
        let bottom = height - SCALE;
        for step in from as i32..=to as i32 {
            let at = x(10_f64.powi(step));
            area.draw(&PathElement::new([(at, 0), (at, bottom)], FAINT))?;
            let label = number_of_scale(step);
            area.draw(&Text::new(
                label,
                (at, bottom + 4),
                text(HPos::Center, VPos::Top),
            ))?;
        }
        for (index, name) in contenders.iter().enumerate() {
            let middle = GAP + index as i32 * (BAR + GAP) + BAR / 2;
            let name = (*name).to_owned();
            let values = values(&name);
            let fill = fill(&name);
            area.draw(&Text::new(
                name,
                (NAMES - 10, middle),
                text(HPos::Right, VPos::Center),
            ))?;
            if let (Some(&first), Some(&last)) = (values.first(), values.last()) {
                let line = Rectangle::new(
                    [(x(first), middle - 1), (x(last), middle + 1)],
                    fill.filled(),
                );
                area.draw(&line)?;
            }
            // Larger for a percentile of more requests.
            for (value, size) in values.into_iter().zip([7, 5, 4, 3]) {
                area.draw(&Circle::new((x(value), middle), size, fill.filled()))?;
            }
        }
        Ok(())
    })
}

/// Formats `1`, `100`, `10 000`.
fn number_of_scale(step: i32) -> String {
    match step {
        ..0 => format!("{}", 10_f64.powi(step)),
        0..4 => format!("{:.0}", 10_f64.powi(step)),
        _ => number(10_f64.powi(step)),
    }
}

fn text(horizontal: HPos, vertical: VPos) -> TextStyle<'static> {
    ("sans-serif", 16)
        .into_font()
        .color(&INK)
        .pos(Pos::new(horizontal, vertical))
}

fn fill(contender: &str) -> RGBAColor {
    let native = contender.ends_with("native");
    colour(contender).mix(if native { 0.55 } else { 1.0 })
}

fn svg(
    height: i32,
    draw: impl FnOnce(&DrawingArea<SVGBackend<'_>, Shift>) -> std::result::Result<(), Box<dyn Error>>,
) -> std::result::Result<String, Box<dyn Error>> {
    let mut svg = String::new();
    {
        let area =
            SVGBackend::with_string(&mut svg, (WIDTH, height.unsigned_abs())).into_drawing_area();
        draw(&area)?;
        area.present()?;
    }
    // The page sets width and height; the view box stays.
    let size = format!("width=\"{WIDTH}\" height=\"{height}\" ");
    Ok(svg
        .replace(&size, "")
        .replace("#010203", "var(--ink)")
        .replace("#010204", "var(--faint)"))
}

/// Returns the results, the floors last.
fn results(line: &Line) -> impl Iterator<Item = &Result> {
    let (floors, others): (Vec<&Result>, Vec<&Result>) =
        line.results.iter().partition(|result| result.is_floor());
    others.into_iter().chain(floors)
}

fn draw(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    line: &Line,
) -> std::result::Result<(), Box<dyn Error>> {
    let most = line
        .results
        .iter()
        .map(|result| result.spread.most)
        .fold(0.0, f64::max);
    let room = f64::from(WIDTH as i32 - NAMES - NUMBERS);
    let x = |value: f64| {
        NAMES
            + if most > 0.0 {
                (value / most * room).round() as i32
            } else {
                0
            }
    };
    area.draw(&Rectangle::new(
        [(NAMES - 1, 0), (NAMES, area.dim_in_pixel().1 as i32)],
        FAINT.filled(),
    ))?;
    // Below the bars and the figures, so that it hides neither.
    if let Some(floor) = line.floor() {
        let (x, bottom) = (x(floor), area.dim_in_pixel().1 as i32);
        for top in (0..bottom).step_by(8) {
            area.draw(&PathElement::new(
                [(x, top), (x, (top + 4).min(bottom))],
                INK.mix(0.45),
            ))?;
        }
    }
    for (index, result) in results(line).enumerate() {
        let top = GAP + index as i32 * (BAR + GAP);
        bar(area, result, top, &x)?;
    }
    Ok(())
}

fn bar(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    result: &Result,
    top: i32,
    x: &dyn Fn(f64) -> i32,
) -> std::result::Result<(), Box<dyn Error>> {
    let (middle, spread) = (top + BAR / 2, result.spread);
    let style = |anchor| text(anchor, VPos::Center);
    let fill = fill(&result.contender);
    area.draw(&Text::new(
        result.contender.clone(),
        (NAMES - 10, middle),
        style(HPos::Right),
    ))?;
    area.draw(&Rectangle::new(
        [(NAMES, top), (x(spread.median), top + BAR)],
        fill.filled(),
    ))?;
    if result.values.len() > 1 {
        let (from, to) = (x(spread.least), x(spread.most));
        area.draw(&PathElement::new([(from, middle), (to, middle)], INK))?;
        for end in [from, to] {
            area.draw(&PathElement::new(
                [(end, middle - 3), (end, middle + 3)],
                INK,
            ))?;
        }
    }
    let mark = if result.wide { " !" } else { "" };
    let floor = result.of_floor.map(|ratio| format!("  {}", times(ratio)));
    let label = format!(
        "{}{mark}{}",
        number(spread.median),
        floor.unwrap_or_default()
    );
    let end = if result.values.len() > 1 {
        spread.most
    } else {
        spread.median
    };
    area.draw(&Text::new(label, (x(end) + 6, middle), style(HPos::Left)))?;
    Ok(())
}
