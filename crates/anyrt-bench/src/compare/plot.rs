//! One bar chart per row, as SVG.

use std::error::Error;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::terminal::number;
use super::{Line, Result};

const WIDTH: u32 = 480;
const BAR: i32 = 20;
const GAP: i32 = 10;
const NAMES: i32 = 142;
const NUMBERS: i32 = 74;

/// Replaced in the SVG by what the page's style says, so that a plot follows dark and light.
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

/// Bars from zero, with a whisker from the least to the most of the rounds.
pub(crate) fn bars(line: &Line) -> std::result::Result<String, Box<dyn Error>> {
    let height = line.results.len() as i32 * (BAR + GAP) + GAP;
    let mut svg = String::new();
    {
        let area =
            SVGBackend::with_string(&mut svg, (WIDTH, height.unsigned_abs())).into_drawing_area();
        draw(&area, line)?;
        area.present()?;
    }
    // Width and height are the page's to give; the view box stays.
    let size = format!("width=\"{WIDTH}\" height=\"{height}\" ");
    Ok(svg
        .replace(&size, "")
        .replace("#010203", "var(--ink)")
        .replace("#010204", "var(--faint)"))
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
    for (index, result) in line.results.iter().enumerate() {
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
    let style = |anchor| {
        ("sans-serif", 16)
            .into_font()
            .color(&INK)
            .pos(Pos::new(anchor, VPos::Center))
    };
    let native = result.contender.ends_with("native");
    let fill = colour(&result.contender).mix(if native { 0.55 } else { 1.0 });
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
    let label = format!(
        "{}{}",
        number(spread.median),
        if result.wide { " !" } else { "" }
    );
    let end = if result.values.len() > 1 {
        spread.most
    } else {
        spread.median
    };
    area.draw(&Text::new(label, (x(end) + 6, middle), style(HPos::Left)))?;
    Ok(())
}
