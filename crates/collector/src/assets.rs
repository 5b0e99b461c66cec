//! The files of the page, embedded in the program.

/// One embedded file of the page.
#[derive(Debug)]
pub struct Asset {
    /// The file's path on the web port.
    pub path: &'static str,
    /// The file's media type, for the header `content-type`.
    pub content_type: &'static str,
    /// The file's bytes, as they are served.
    pub body: &'static [u8],
}

macro_rules! asset {
    ($path:literal, $content_type:literal, $file:literal) => {
        Asset {
            path: $path,
            content_type: $content_type,
            body: include_bytes!(concat!("../assets/", $file)),
        }
    };
}

/// Every file of the page, as build.rs found them.
pub const ALL: &[Asset] = &[
    asset!("/", "text/html; charset=utf-8", "index.html"),
    asset!("/page.css", "text/css; charset=utf-8", "page.css"),
    asset!("/page.js", "text/javascript; charset=utf-8", "page.js"),
    asset!("/edges.js", "text/javascript; charset=utf-8", "edges.js"),
    asset!("/format.js", "text/javascript; charset=utf-8", "format.js"),
    asset!("/graph.js", "text/javascript; charset=utf-8", "graph.js"),
    asset!("/why.js", "text/javascript; charset=utf-8", "why.js"),
    asset!("/icon.svg", "image/svg+xml", "icon.svg"),
    asset!(
        "/vendor/cytoscape.min.js",
        "text/javascript; charset=utf-8",
        "vendor/cytoscape.min.js"
    ),
    asset!(
        "/vendor/cytoscape-dagre.min.js",
        "text/javascript; charset=utf-8",
        "vendor/cytoscape-dagre.min.js"
    ),
];
