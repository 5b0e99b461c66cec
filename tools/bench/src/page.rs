//! `docs/performance.md` and its curves, out of the checked-in report.

use crate::chart;
use crate::report::{Report, Run};
use crate::scenario::{
    COLLECTOR, COST_ENTRIES, Exporting, FEW, MANY, Pace, Part, SCRAPED, SHORT, Scenario, TWO_PEERS, Taker,
    Way, by_pods, by_series, by_workers, scenarios,
};
use crate::spread::Spread;
use crate::targets::{Target, cost_model, targets};

/// Messages a second of a proxy that is used: Envoy sends what it has each second.
const MESSAGES: f64 = 1.0;

/// The report, in the directory of the documentation.
pub(crate) const REPORT: &str = "performance/report.json";

/// The page and its curves, by their names in the directory of the documentation.
pub(crate) fn files(report: &Report) -> anyhow::Result<[(&'static str, String); 3]> {
    Ok([
        ("performance.md", page(report)),
        ("performance/scale.csv", chart::csv(report)),
        ("performance/scale.svg", chart::svg(report)?),
    ])
}

fn page(report: &Report) -> String {
    let sections = [
        head(report),
        size(report),
        figures(report),
        entries(report),
        messages(report),
        scale(report),
        exporters(report),
        how(report),
    ];
    sections.join("\n")
}

fn head(report: &Report) -> String {
    let Report {
        version,
        command,
        date,
        machine,
        load_average: [before, after],
        stolen,
        rounds,
        ..
    } = report;
    format!(
        "<!-- Generated from docs/performance/report.json by `make gen`; `make bench` writes a new report. -->\n\n\
         # Performance\n\n\
         These figures were measured on {date} with {version} on {processor}, {cores} cores, Linux {kernel}, by `alscope-bench {command}`: \
         {rounds} rounds with all measurements in each. Others used the machine, too: the load average was {before} before and {after} \
         after, and the host took {stolen:.1} % of the time. So each figure has its spread, and only figures of one run can be compared.\n\n\
         *Per core* means per second of processor time that the kernel counts for the whole collector process.\n",
        processor = machine.processor,
        cores = machine.cores,
        kernel = machine.kernel,
        stolen = stolen * 100.0,
    )
}

fn size(report: &Report) -> String {
    let mut text = "## How large a collector has to be\n\n".to_owned();
    let scenario = Way::Paced.scenario(COLLECTOR, 33);
    let (Some(model), Some(row)) = (cost_model(report, Way::Paced, COLLECTOR), report.row(&scenario)) else {
        return text + "Not measured.\n";
    };
    let share = row.spread(|run| run.processor_seconds / run.seconds);
    let memory = row.spread(|run| run.resident_bytes as f64 / f64::from(1 << 20));
    let rate = row.spread(|run| run.rate() / 1e6);
    let (message, entry) = (model.message * 1e6, model.entry * 1e6);
    text.extend([format!(
        "Envoys do not saturate a collector, because each sends only once a second. This table is for **2 000 proxies that each send a \
         message of 33 entries a second** (66 000 requests a second, 20 000 series, 10 000 pods of which 10 are replaced each second):\n\n\
         | | lowest | median | highest |\n|---|---:|---:|---:|\n{}{}{}\n\
         A message costs **{message:.1} µs and {entry:.2} µs for each of its entries**, so a mesh needs about\n\n\
         ```text\n\
         cores = proxies that are used × {message:.1} µs + requests a second × sides × {entry:.2} µs\n\
         ```\n\n\
         where sides is 2 if both ends of a call have a proxy, because each proxy logs the call. Rounded up, with the collector half idle:\n\n\
         | proxies | requests a second | cores busy | ask for |\n|---:|---:|---:|---:|\n",
        cells(
            "share of a core",
            share.map(|spread| spread.scaled(100.0)),
            1,
            " %"
        ),
        cells("entries, M per core", rate, 2, ""),
        cells("memory, MiB", memory, 0, ""),
    )]);
    for (proxies, requests) in [
        (100.0, 1_000.0),
        (500.0, 10_000.0),
        (2_000.0, 50_000.0),
        (10_000.0, 300_000.0),
    ] {
        let busy = proxies * MESSAGES * model.message + requests * 2.0 * model.entry;
        let asked = (busy * 20.0).ceil() / 10.0;
        text.extend([format!("| {proxies} | {requests} | {busy:.2} | {asked:.1} |\n")]);
    }
    text + "\nMemory grows with connections, series and pods; [Memory](memory.md) has its bounds.\n"
}

fn figures(report: &Report) -> String {
    let mut text = "## Figures to reach\n\nThe figures are medians. [Where the time goes](performance/where-the-time-goes.md) says \
                    why some are missed, and what would have to change.\n\n| figure | wanted | measured | |\n|---|---:|---:|---|\n"
        .to_owned();
    for target in targets(report) {
        let Target {
            what,
            bound,
            unit,
            measured,
        } = &target;
        let measured =
            measured.map_or_else(|| "not measured".to_owned(), |measured| format!("{measured:.2}"));
        let verdict = if target.is_met() { "reached" } else { "**missed**" };
        text.extend([format!("| {what} | {bound} {unit} | {measured} | {verdict} |\n")]);
    }
    text
}

fn entries(report: &Report) -> String {
    let mut text = "## What an entry costs\n\nThe table shows million entries per core, sent as fast as they are taken. Each proxy has a \
                    connection of its own: 8 for 100 series, 2 000 for 20 000. The raw sink is the collector's own receiver with a handler \
                    that counts bytes. The external sink is a server of the crate tonic. prost decodes each message and drops it. The \
                    analysis alone runs in a thread, without transport. The own cost is the time that the collector takes in addition to the \
                    raw sink, in µs for each entry.\n\n\
                    | entries | series | what | lowest | median | highest |\n|---:|---:|---|---:|---:|---:|\n"
        .to_owned();
    for load in [FEW, MANY, SHORT, TWO_PEERS] {
        let (shape, series) = (load.shape, load.traffic.series());
        let saturated = |taker| Scenario::saturated(taker, load);
        for taker in [
            Taker::ExternalSink,
            Taker::Sink,
            Taker::Prost,
            COLLECTOR,
            Taker::Analysis,
        ] {
            if let Some(spread) = report.rate(&saturated(taker)) {
                text += &cells(
                    &format!("{shape} | {series} | {taker}"),
                    Some(spread.scaled(1e-6)),
                    2,
                    "",
                );
            }
        }
        let own = report.own_cost([&saturated(COLLECTOR), &saturated(Taker::Sink)]);
        text += &cells(
            &format!("{shape} | {series} | own cost, µs"),
            own.map(|own| own.scaled(1e6)),
            2,
            "",
        );
    }
    text
}

fn messages(report: &Report) -> String {
    let mut text = "## What a message costs\n\nThe table shows the processor time of a message, in µs, by its number of entries, and \
                    *a + b · entries* fitted to the medians. There are 2 000 sidecars and 20 000 series.\n\n\
                    | how | what | 1 entry | 5 entries | 33 entries | a, µs | b, µs |\n|---|---|---:|---:|---:|---:|---:|\n"
        .to_owned();
    for way in Way::ALL {
        for taker in [Taker::Sink, COLLECTOR] {
            text.extend([format!("| {way} | {taker} |")]);
            for entries in COST_ENTRIES {
                let spread = report.spread(&way.scenario(taker, entries), Run::seconds_a_message);
                let cost =
                    spread.map_or_else(|| "-".to_owned(), |spread| format!("{:.1}", spread.median * 1e6));
                text.extend([format!(" {cost} |")]);
            }
            let model = cost_model(report, way, taker);
            let model =
                model.map(|model| format!(" {:.1} | {:.2} |\n", model.message * 1e6, model.entry * 1e6));
            text += model.as_deref().unwrap_or(" - | - |\n");
        }
    }
    text
}

fn scale(report: &Report) -> String {
    let mut text = "## What more pods, series and workers cost\n\n![Cost of an entry by pods and by series](performance/scale.svg)\n\n\
                    The entries have 497 bytes, 33 to a message, and are sent as fast as they are taken. The same data is in [a file](performance/scale.csv).\n\n\
                    | pods | series | workers | lowest, µs | median, µs | highest, µs |\n|---:|---:|---:|---:|---:|---:|\n"
        .to_owned();
    for scenario in by_pods().into_iter().chain(by_series()).chain(by_workers()) {
        let cost = report.spread(&scenario, |run| 1e6 / run.rate());
        let traffic = scenario.load.traffic;
        let (pods, series, workers) = (traffic.size.pods(), traffic.series(), scenario.workers);
        let paced = if scenario.pace == Pace::Saturated {
            ""
        } else {
            ", 200 000 entries/s"
        };
        text += &cells(&format!("{pods} | {series} | {workers}{paced}"), cost, 2, "");
    }
    text
}

fn exporters(report: &Report) -> String {
    let mut text =
        "## What exporters cost\n\n| what | lowest | median | highest |\n|---|---:|---:|---:|\n".to_owned();
    let exporting = |scenario: &Scenario| {
        matches!(scenario.taker, Taker::Collector(_))
            && (scenario.load == SCRAPED || scenario.pace != Pace::Saturated)
    };
    for scenario in scenarios(Part::Ingest)
        .iter()
        .filter(|scenario| exporting(scenario))
    {
        let pace = if scenario.pace == Pace::Saturated {
            "as fast as it is taken, 100 500 samples"
        } else {
            "100 000 entries/s, 100 series"
        };
        let cost = report.spread(scenario, |run| 1e6 / run.rate());
        text += &cells(&format!("{}, {pace}, µs an entry", scenario.taker), cost, 2, "");
        if scenario.taker == Taker::Collector(Exporting::Scraped) {
            let longest = report.spread(scenario, |run| run.scrape_seconds.unwrap_or_default() * 1e3);
            text += &cells("the longest scrape of a run, ms", longest, 0, "");
        }
    }
    text
}

fn how(report: &Report) -> String {
    let entries: u64 = report
        .rows
        .iter()
        .flat_map(|row| &row.runs)
        .map(|run| run.entries)
        .sum();
    format!(
        "## How this is measured\n\n\
         `make bench` measures, and `make bench-check` says which figures of the checked-in report are missed. `make bench-instructions` \
         counts instructions and is part of `make ci`.\n\n\
         - **The load** is a mesh of 10 000 pods, of which a few make most of the calls (Zipf's law). 100 series come from 8 sidecars; \
         20 000 series come from 2 000 sidecars with 64 000 pairs of pods. Streams begin with an identifier of 62 KB. Paths have ids and \
         queries, peers have their fields in ever new orders, and calls started 0 to 5 s ago. Each message is sent by itself, in frames of \
         at most 16 KiB. The directory comes from an API server that replaces 10 pods a second.\n\
         - **The receivers** are separate processes with one worker, on a core of their own. The load comes from the other cores.\n\
         - **A measurement counts** only if every entry that was sent was observed, with both parties, in the very series that it was \
         sent for, if nothing was rejected, and if no exporter dropped anything. This report rests on {entries} entries.\n\n\
         Other programs, on the same class of machine: SkyWalking's OAP analyzes 7 000 entries per core (mx-mesh, 2.8 GB), and its \
         Satellite forwards 290 000 to 430 000 without analysis (1.24 GB). Published figures: OpenTelemetry's collector takes 10 000 to \
         33 000 log records a second and core, and Rotel 462 000 spans.\n"
    )
}

/// One row of a table.
fn cells(what: &str, spread: Option<Spread>, digits: usize, unit: &str) -> String {
    let Some(Spread {
        lowest,
        median,
        highest,
    }) = spread
    else {
        return format!("| {what} | - | - | - |\n");
    };
    format!("| {what} | {lowest:.digits$}{unit} | {median:.digits$}{unit} | {highest:.digits$}{unit} |\n")
}

#[cfg(test)]
mod tests;
