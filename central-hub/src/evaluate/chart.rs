//! The curve as a drawing: one SVG file that stands alone, without fonts, scripts or anything from elsewhere.

use std::fmt::Write as _;

use super::curve::{Curve, Point};

/// Width and height of the drawing, in pixels.
const SIZE: (f64, f64) = (1040.0, 440.0);
/// The colours of precision and recall, apart for colour-blind eyes and on paper.
const PRECISION: &str = "#1f5fbf";
const RECALL: &str = "#c4520a";
/// The colour of the curve of precision over recall.
const BOTH: &str = "#4a3a8c";
/// Ticks on an axis, about.
const TICKS: f64 = 6.0;

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
    let mut out = String::with_capacity(32 * 1024);
    let (width, height) = SIZE;
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"system-ui, sans-serif\" font-size=\"13\" fill=\"#222\">\n\
         <title>{title}</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"64\" y=\"28\" font-size=\"16\" font-weight=\"600\">{title}</text>\n",
        title = escaped(&captions.title)
    );
    let best = curve.best();
    by_threshold(&mut out, curve, best, captions);
    by_recall(&mut out, curve, best);
    out.push_str("</svg>\n");
    out
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

fn legend(out: &mut String, mut x: f64, y: f64, names: &[(&str, &str)]) {
    for (name, colour) in names {
        let _ = writeln!(
            out,
            "<path d=\"M{x:.1} {y:.1}h22\" stroke=\"{colour}\" stroke-width=\"2.5\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\">{name}</text>",
            x + 28.0,
            y + 4.0
        );
        x += 110.0;
    }
}

/// A rectangle with two axes.
struct Panel {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
    x: (f64, f64),
    y: (f64, f64),
}

impl Panel {
    fn px(&self, x: f64) -> f64 {
        self.left + (x - self.x.0) / (self.x.1 - self.x.0) * self.width
    }

    fn py(&self, y: f64) -> f64 {
        self.top + (self.y.1 - y) / (self.y.1 - self.y.0) * self.height
    }

    fn axes(&self, out: &mut String, x_label: &str, y_label: &str) {
        let (left, top, bottom) = (self.left, self.top, self.top + self.height);
        for tick in ticks(self.x) {
            let x = self.px(tick);
            let label = number(tick, self.x);
            let _ = writeln!(
                out,
                "<path d=\"M{x:.1} {top}V{bottom}\" stroke=\"#e6e6e6\"/>\
                 <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{label}</text>",
                bottom + 18.0
            );
        }
        for tick in ticks(self.y) {
            let y = self.py(tick);
            let label = number(tick, self.y);
            let _ = writeln!(
                out,
                "<path d=\"M{left} {y:.1}h{}\" stroke=\"#e6e6e6\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
                self.width,
                left - 8.0,
                y + 4.0
            );
        }
        let middle = (left + self.width / 2.0, top + self.height / 2.0);
        let _ = writeln!(
            out,
            "<path d=\"M{left} {top}V{bottom}h{}\" stroke=\"#444\" fill=\"none\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{x_label}</text>\
             <text transform=\"translate({:.1} {:.1}) rotate(-90)\" text-anchor=\"middle\">{y_label}</text>",
            self.width,
            middle.0,
            bottom + 42.0,
            left - 58.0,
            middle.1
        );
    }

    fn line(&self, out: &mut String, points: impl Iterator<Item = (f64, f64)>, colour: &str) {
        let mut path = String::new();
        for (x, y) in points {
            let _ = write!(path, "{}{:.1} {:.1}", if path.is_empty() { "M" } else { "L" }, self.px(x), self.py(y));
        }
        if !path.is_empty() {
            let _ = writeln!(
                out,
                "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2.5\" stroke-linejoin=\"round\"/>"
            );
        }
    }

    fn dot(&self, out: &mut String, (x, y): (f64, f64), colour: &str) {
        let _ = writeln!(
            out,
            "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"4.5\" fill=\"#fff\" stroke=\"{colour}\" stroke-width=\"2.5\"/>",
            self.px(x),
            self.py(y)
        );
    }
}

/// Round numbers inside a range, both ends included where they are round.
fn ticks((from, to): (f64, f64)) -> Vec<f64> {
    let rough = (to - from) / TICKS;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|factor| factor * power).find(|step| *step >= rough);
    let step = step.unwrap_or(rough);
    let first = (from / step - 1e-9).ceil() as i64;
    let last = (to / step + 1e-9).floor() as i64;
    (first..=last).map(|tick| tick as f64 * step).collect()
}

fn number(value: f64, (from, to): (f64, f64)) -> String {
    match to - from {
        span if span >= 5.0 => format!("{value:.0}"),
        span if span >= 0.5 => format!("{value:.1}"),
        span if span >= 0.05 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
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

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(ticks((0.0, 1.0)), [0.0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0]);
        assert_eq!(ticks((-3.0, 37.0)), [0.0, 10.0, 20.0, 30.0]);
        assert_eq!(ticks((0.0, 1.0)).len(), 6);
        assert_eq!((number(0.9, (0.9, 1.0)), number(0.985, (0.98, 1.0))), ("0.90".to_owned(), "0.985".to_owned()));
    }
}
