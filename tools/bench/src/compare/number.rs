//! Numbers as text.

/// Formats a number with at least three significant digits.
pub(crate) fn number(value: f64) -> String {
    match value.abs() {
        v if v >= 10_000.0 => {
            let digits = format!("{value:.0}");
            let mut grouped = String::new();
            for (index, digit) in digits.chars().enumerate() {
                if index > 0 && (digits.len() - index).is_multiple_of(3) {
                    grouped.push(' ');
                }
                grouped.push(digit);
            }
            grouped
        }
        v if v >= 99.95 => format!("{value:.0}"),
        v if v >= 9.995 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// Formats a ratio, such as `×1.06` or `×81`.
pub(crate) fn times(ratio: f64) -> String {
    match ratio {
        r if r >= 99.5 => format!("×{}", number(r.round())),
        r if r >= 9.95 => format!("×{r:.0}"),
        r => format!("×{r:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{number, times};

    #[test]
    fn numbers_have_three_digits_or_more() {
        for (value, text) in [
            (0.0, "0.00"),
            (0.534, "0.53"),
            (9.999, "10.0"),
            (12.34, "12.3"),
            (99.97, "100"),
            (1234.6, "1235"),
            (12345.6, "12 346"),
            (1_234_567.0, "1 234 567"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn ratios_are_as_exact_as_they_need_to_be() {
        for (ratio, text) in [
            (1.0612, "×1.06"),
            (9.96, "×10"),
            (81.4, "×81"),
            (4321.9, "×4322"),
        ] {
            assert_eq!(times(ratio), text);
        }
    }
}
