//! The scale curves, as numbers and as a picture.

use plotters::prelude::*;

use crate::report::Report;
use crate::scenario::{Scenario, by_pods, by_series, by_workers};
use crate::spread::Spread;

const SIZE: (u32, u32) = (900, 340);
const COLOUR: RGBColor = RGBColor(0x1f, 0x6f, 0xb5);

/// A curve: what grows, and the scenarios by it.
type Curve = (&'static str, Vec<(usize, Scenario)>);

fn curves() -> [Curve; 3] {
    let pods = by_pods().map(|scenario| (scenario.load.traffic.size.pods(), scenario));
    let series = by_series().map(|scenario| (scenario.load.traffic.series(), scenario));
    let workers = by_workers().map(|scenario| (scenario.workers, scenario));
    [
        ("pods", pods.to_vec()),
        ("series", series.to_vec()),
        ("workers", workers.to_vec()),
    ]
}

/// Microseconds of processor time an entry.
fn cost(report: &Report, scenario: &Scenario) -> Option<Spread> {
    report.spread(scenario, |run| 1e6 / run.rate())
}

/// All curves as comma-separated values.
pub(crate) fn csv(report: &Report) -> String {
    let mut text = "by,number,lowest_microseconds,median_microseconds,highest_microseconds\n".to_owned();
    for (name, points) in curves() {
        for (number, scenario) in points {
            if let Some(Spread {
                lowest,
                median,
                highest,
            }) = cost(report, &scenario)
            {
                text.extend([format!("{name},{number},{lowest:.4},{median:.4},{highest:.4}\n")]);
            }
        }
    }
    text
}

/// The curves by pods and by series as a picture: medians with their spread.
pub(crate) fn svg(report: &Report) -> anyhow::Result<String> {
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let [pods, series, _] = curves();
        let measured = |curve: Curve| -> Vec<(f64, Spread)> {
            let points = curve.1.into_iter();
            points
                .filter_map(|(number, scenario)| Some((number as f64, cost(report, &scenario)?)))
                .collect()
        };
        let panels = [("pods", measured(pods)), ("series", measured(series))];
        let highest = panels
            .iter()
            .flat_map(|(_, points)| points)
            .map(|(_, spread)| spread.highest);
        let highest = highest.fold(1.0, f64::max);
        for (panel, (name, points)) in area.split_evenly((1, panels.len())).iter().zip(panels) {
            draw(panel, name, &points, highest)?;
        }
        area.present()?;
    }
    text.push('\n');
    Ok(text)
}

fn draw<Backend: DrawingBackend>(
    panel: &DrawingArea<Backend, plotters::coord::Shift>,
    name: &str,
    points: &[(f64, Spread)],
    highest: f64,
) -> anyhow::Result<()>
where
    Backend::ErrorType: 'static,
{
    let first = points.first().map_or(10.0, |(number, _)| *number);
    let last = points.last().map_or(100.0, |(number, _)| *number);
    let mut chart = ChartBuilder::on(panel)
        .caption(format!("cost of an entry by {name}"), ("sans-serif", 16))
        .margin(12)
        .x_label_area_size(38)
        .y_label_area_size(46)
        .build_cartesian_2d(((first * 0.8)..(last * 1.25)).log_scale(), 0.0..(highest * 1.1))?;
    chart
        .configure_mesh()
        .x_desc(name)
        .y_desc("µs, lowest to highest of all runs")
        .x_label_formatter(&|number| format!("{number:.0}"))
        .draw()?;
    let medians = points.iter().map(|(number, spread)| (*number, spread.median));
    chart.draw_series(LineSeries::new(medians, COLOUR.stroke_width(2)))?;
    let bars = points.iter().map(|(number, spread)| {
        ErrorBar::new_vertical(
            *number,
            spread.lowest,
            spread.median,
            spread.highest,
            COLOUR.filled(),
            8,
        )
    });
    chart.draw_series(bars)?;
    Ok(())
}
