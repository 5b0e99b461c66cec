//! The page's files, embedded.

/// One embedded file.
#[derive(Debug)]
pub struct Asset {
    /// Its path on the web port.
    pub path: &'static str,
    /// Its content type.
    pub content_type: &'static str,
    /// Its content.
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

/// Every file of the page.
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
