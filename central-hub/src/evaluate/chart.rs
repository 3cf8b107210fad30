//! The curve as a drawing.

use std::fmt::Write as _;

use super::curve::{Curve, Point};
use crate::drawing::{Panel, escaped, legend, sheet};

/// Width and height of the drawing, in pixels.
const SIZE: (f64, f64) = (1040.0, 440.0);
/// The colours of precision and recall, apart for colour-blind eyes and on paper.
const PRECISION: &str = "#1f5fbf";
const RECALL: &str = "#c4520a";
/// The colour of the curve of precision over recall.
const BOTH: &str = "#4a3a8c";

/// What the drawing says beside the curve.
#[derive(Debug, Clone)]
pub struct Captions {
    /// The heading.
    pub title: String,
    /// Thresholds of the edition, in bits, each with its name.
    pub thresholds: Vec<(f64, &'static str)>,
}

/// Draws precision and recall over the threshold, and precision over recall.
#[must_use]
pub fn svg(curve: &Curve, captions: &Captions) -> String {
    let best = curve.best();
    sheet(&captions.title, SIZE, |out| {
        by_threshold(out, curve, best, captions);
        by_recall(out, curve, best);
    })
}

fn by_threshold(out: &mut String, curve: &Curve, best: Option<Point>, captions: &Captions) {
    let lowest = curve.points.last().map_or(0.0, |point| point.bits.floor());
    let highest = curve.points.first().map_or(1.0, |point| point.bits.ceil()).max(lowest + 1.0);
    let panel = Panel { left: 64.0, top: 60.0, width: 440.0, height: 310.0, x: (lowest, highest), y: (0.0, top(0.0)) };
    panel.axes(out, "threshold, bits", "");
    for (bits, name) in captions.thresholds.iter().filter(|(bits, _)| (lowest..=highest).contains(bits)) {
        let x = panel.px(*bits);
        let (top, bottom) = (panel.top, panel.top + panel.height);
        let _ = writeln!(
            out,
            "<path d=\"M{x:.1} {top}V{bottom}\" stroke=\"#777\" stroke-dasharray=\"4 4\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" font-size=\"11\" fill=\"#555\">{}</text>",
            x + 4.0,
            bottom - 6.0,
            escaped(name)
        );
    }
    let steps = |of: fn(&Point) -> f64| curve.points.iter().map(move |point| (point.bits, of(point)));
    panel.line(out, steps(|point| point.precision), PRECISION);
    panel.line(out, steps(|point| point.recall), RECALL);
    legend(out, panel.left + 8.0, 48.0, &[("precision", PRECISION), ("recall", RECALL)]);
    if let Some(best) = best {
        panel.dot(out, (best.bits, best.precision), PRECISION);
        panel.dot(out, (best.bits, best.recall), RECALL);
    }
}

fn by_recall(out: &mut String, curve: &Curve, best: Option<Point>) {
    let floor = best.map_or(0.0, |best| lower_bound(best.precision.min(best.recall)));
    let panel =
        Panel { left: 588.0, top: 60.0, width: 420.0, height: 310.0, x: (floor, top(floor)), y: (floor, top(floor)) };
    panel.axes(out, "recall", "precision");
    let inside = curve.points.iter().filter(|point| point.recall >= floor && point.precision >= floor);
    panel.line(out, inside.map(|point| (point.recall, point.precision)), BOTH);
    let Some(best) = best else { return };
    panel.dot(out, (best.recall, best.precision), BOTH);
    let text = format!(
        "best F1 {:.4} at {:.2} bits: precision {:.4}, recall {:.4}",
        best.f1(),
        best.bits,
        best.precision,
        best.recall
    );
    let _ = writeln!(out, "<text x=\"{}\" y=\"52\" fill=\"{BOTH}\">{text}</text>", panel.left + 8.0);
}

/// Where the axes of precision over recall begin: close enough to see a good curve, and at a round number.
fn lower_bound(least: f64) -> f64 {
    [0.98, 0.95, 0.9, 0.8, 0.5].into_iter().find(|bound| least > bound + (1.0 - bound) / 3.0).unwrap_or(0.0)
}

/// Where an axis of rates ends: a little above 1, so that a line along 1 is seen.
fn top(floor: f64) -> f64 {
    1.0 + (1.0 - floor) * 0.03
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captions(title: &str) -> Captions {
        Captions { title: title.into(), thresholds: vec![(6.0, "automatic"), (0.0, "review"), (90.0, "outside")] }
    }

    #[test]
    fn the_drawing_has_axes_both_lines_and_the_thresholds_inside() {
        let pairs = (0..400).map(|at| (at * 100 - 2_000, at > 90));
        let text = svg(&Curve::of(pairs, 320), &captions("a < b & c"));
        for part in ["<svg xmlns=", "a &lt; b &amp; c", ">recall<", ">precision<", "threshold, bits", ">automatic<"] {
            assert!(text.contains(part), "{part}");
        }
        assert!(!text.contains("outside") && !text.contains("NaN") && !text.contains("inf"));
        assert_eq!(text.matches("<text").count(), text.matches("</text>").count());
        assert_eq!(text.matches("<circle").count(), 3);
    }

    #[test]
    fn an_empty_curve_is_drawn_as_empty_axes() {
        let text = svg(&Curve::default(), &captions("nothing"));
        assert!(text.ends_with("</svg>\n") && !text.contains("NaN") && !text.contains("<circle"));
    }
}
