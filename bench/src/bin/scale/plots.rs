//! Draws what was measured, for `docs/performance.md`.

use std::fs;
use std::path::Path;

use latchbook_bench::Failure;
use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::prelude::*;

use crate::page::thousands;
use crate::table::{Row, Table};

/// A line with its name.
type Line = (&'static str, Vec<(f64, f64)>);

/// What a drawing shows, and along what.
struct Drawing<'a> {
    title: &'a str,
    x: &'a str,
    y: &'a str,
}

const KEYS: &str = "keys in the store";
const TOKENS: &str = "live tokens, each seen before and shown in turn";

pub fn draw(table: &Table, folder: &Path) -> Result<(), Failure> {
    fs::create_dir_all(folder)?;
    let live = |measure: &str, program: &'static str, cores: u64| {
        table.series(
            measure,
            |row: &Row| row.tokens > 0 && row.program == program && row.cores == cores,
            |row| row.tokens,
        )
    };
    let stored = |measure: &str, store: &'static str| {
        table.series(measure, |row: &Row| row.tokens == 0 && row.store == store, |row| row.keys)
    };

    let drawing = Drawing {
        title: "Processor time of a request, 64 connections, one server core",
        x: TOKENS,
        y: "microseconds of processor time",
    };
    let lines = [
        ("axum, guarded", live("guarded_cpu_us", "axum", 1)),
        ("axum, open", live("open_cpu_us", "axum", 1)),
        ("actix, guarded", live("guarded_cpu_us", "actix", 1)),
        ("actix, open", live("open_cpu_us", "actix", 1)),
    ];
    linear(&folder.join("cpu.svg"), &drawing, &lines)?;

    let drawing = Drawing {
        title: "Guarded requests a second, 64 connections (two server cores share both with the client)",
        x: TOKENS,
        y: "requests a second",
    };
    let lines = [
        ("axum, one core", live("guarded_rps", "axum", 1)),
        ("axum, two cores", live("guarded_rps", "axum", 2)),
        ("actix, one core", live("guarded_rps", "actix", 1)),
        ("axum, one core, open route", live("open_rps", "axum", 1)),
    ];
    linear(&folder.join("throughput.svg"), &drawing, &lines)?;

    let drawing = Drawing {
        title: "Latency of a guarded request at full load, 64 connections, axum",
        x: TOKENS,
        y: "microseconds",
    };
    let lines = [
        ("p99, one core", live("guarded_p99_us", "axum", 1)),
        ("p50, one core", live("guarded_p50_us", "axum", 1)),
        ("p99, two cores", live("guarded_p99_us", "axum", 2)),
        ("p50, two cores", live("guarded_p50_us", "axum", 2)),
    ];
    logarithmic(&folder.join("latency.svg"), &drawing, &lines)?;

    let drawing =
        Drawing { title: "Resident memory of the program, a million keys in redb", x: TOKENS, y: "megabytes" };
    let lines = [("axum", live("resident_mb", "axum", 1)), ("actix", live("resident_mb", "actix", 1))];
    logarithmic(&folder.join("memory.svg"), &drawing, &lines)?;

    let drawing = Drawing { title: "From the start to `listening on`, ledger-axum", x: KEYS, y: "milliseconds" };
    let lines = [
        ("redb, after kill -9", stored("start_killed_ms", "redb")),
        ("redb, after a clean stop", stored("start_ms", "redb")),
        ("SQLite, after kill -9", stored("start_killed_ms", "sqlite")),
        ("SQLite, after a clean stop", stored("start_ms", "sqlite")),
    ];
    linear(&folder.join("start.svg"), &drawing, &lines)?;

    let drawing = Drawing { title: "Memory of an idle program, ledger-axum", x: KEYS, y: "megabytes" };
    let lines = [("redb", stored("idle_mb", "redb")), ("SQLite", stored("idle_mb", "sqlite"))];
    linear(&folder.join("idle.svg"), &drawing, &lines)?;

    let drawing =
        Drawing { title: "Latency of an exchange, 16 callers, one server core, axum", x: KEYS, y: "microseconds" };
    let lines = [
        ("redb, p99", stored("exchange_p99_us", "redb")),
        ("redb, p50", stored("exchange_p50_us", "redb")),
        ("SQLite, p99", stored("exchange_p99_us", "sqlite")),
        ("SQLite, p50", stored("exchange_p50_us", "sqlite")),
    ];
    logarithmic(&folder.join("exchange.svg"), &drawing, &lines)
}

/// From zero on, with room for the names of the lines.
fn linear(path: &Path, drawing: &Drawing<'_>, lines: &[Line]) -> Result<(), Failure> {
    let most = values(lines).fold(0.0, f64::max);
    graph(path, drawing, lines, 0.0..most * 1.45)
}

/// Whole decades.
fn logarithmic(path: &Path, drawing: &Drawing<'_>, lines: &[Line]) -> Result<(), Failure> {
    let least = values(lines).fold(f64::INFINITY, f64::min).max(1e-3);
    let most = values(lines).fold(0.0, f64::max).max(least);
    let (low, high) = (10_f64.powf(least.log10().floor()), 10_f64.powf((most * 1.1).log10().ceil()));
    graph(path, drawing, lines, (low..high).log_scale())
}

fn values(lines: &[Line]) -> impl Iterator<Item = f64> {
    lines.iter().flat_map(|(_, points)| points.iter().map(|(_, value)| *value))
}

fn graph<Y>(path: &Path, drawing: &Drawing<'_>, lines: &[Line], y: Y) -> Result<(), Failure>
where
    Y: AsRangedCoord<Value = f64>,
    Y::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    const COLOURS: [RGBColor; 4] =
        [RGBColor(0, 90, 181), RGBColor(220, 50, 32), RGBColor(30, 136, 80), RGBColor(130, 70, 160)];
    let across = || lines.iter().flat_map(|(_, points)| points.iter().map(|(x, _)| *x));
    let (left, right) = (across().fold(f64::INFINITY, f64::min), across().fold(1.0, f64::max));
    if left > right {
        return Err(format!("nothing was measured for {}", path.display()).into());
    }
    let failed = |error: DrawingAreaErrorKind<std::io::Error>| Failure::from(error.to_string());
    let area = SVGBackend::new(path, (820, 480)).into_drawing_area();
    area.fill(&WHITE).map_err(failed)?;
    let mut chart = ChartBuilder::on(&area)
        .caption(drawing.title, ("sans-serif", 18))
        .margin(14)
        .margin_right(40)
        .x_label_area_size(48)
        .y_label_area_size(84)
        .build_cartesian_2d((left * 0.9..right * 1.1).log_scale(), y)
        .map_err(failed)?;
    chart
        .configure_mesh()
        .x_desc(drawing.x)
        .y_desc(drawing.y)
        .label_style(("sans-serif", 14))
        .x_label_formatter(&|value| number(*value))
        .y_label_formatter(&|value| number(*value))
        .max_light_lines(1)
        .bold_line_style(RGBColor(205, 205, 205))
        .light_line_style(RGBColor(238, 238, 238))
        .draw()
        .map_err(failed)?;
    for ((name, points), colour) in lines.iter().zip(COLOURS) {
        let line = LineSeries::new(points.iter().copied(), colour.stroke_width(2)).point_size(4);
        let drawn = chart.draw_series(line).map_err(failed)?;
        drawn.label(*name).legend(move |(x, y)| PathElement::new([(x, y), (x + 22, y)], colour.stroke_width(3)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .label_font(("sans-serif", 14))
        .background_style(WHITE.mix(0.85))
        .border_style(RGBColor(160, 160, 160))
        .draw()
        .map_err(failed)?;
    area.present().map_err(failed)
}

/// With commas between thousands.
fn number(value: f64) -> String {
    if value < 10.0 && value.fract().abs() > 1e-9 {
        return format!("{value:.1}");
    }
    thousands(value)
}
