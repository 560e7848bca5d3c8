//! The pages and the client that browsers get, from within the binary.

use ws_mio_server::{Builder, Page};

/// Scripts, styles and connections of this server alone, and nothing in line. What could become HTML or a
/// script of a text is an error, whatever the text.
macro_rules! policy {
    () => {
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'"
    };
}

const FIELDS: &[(&str, &str)] = &[
    ("Content-Security-Policy", policy!()),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    // A new version of the server has new pages.
    ("Cache-Control", "no-cache"),
];

/// Of what pages of other hosts may load, too.
const SHARED: &[(&str, &str)] = &[
    ("Access-Control-Allow-Origin", "*"),
    ("Cross-Origin-Resource-Policy", "cross-origin"),
    ("X-Content-Type-Options", "nosniff"),
    ("Cache-Control", "no-cache"),
];

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

const fn page(content_type: &'static str, body: &'static [u8]) -> Page {
    Page { content_type, fields: FIELDS, body }
}

const fn shared(content_type: &'static str, body: &'static [u8]) -> Page {
    Page { content_type, fields: SHARED, body }
}

const ICON: Page = page(SVG, include_bytes!("icon.svg"));

/// What everyone gets: the chat at `/`, and the client for pages of others.
const PAGES: &[(&str, Page)] = &[
    ("/", page(HTML, include_bytes!("chat/index.html"))),
    ("/assets/chat.css", page(CSS, include_bytes!("chat/chat.css"))),
    ("/assets/chat.js", page(SCRIPT, include_bytes!("chat/chat.js"))),
    ("/assets/room.js", page(SCRIPT, include_bytes!("chat/room.js"))),
    ("/assets/words.js", page(SCRIPT, include_bytes!("chat/words.js"))),
    ("/assets/icon.svg", ICON),
    ("/client.js", shared(SCRIPT, include_bytes!("client.js"))),
    ("/client.d.ts", shared("text/plain; charset=utf-8", include_bytes!("client.d.ts"))),
];

/// What those get who run the server.
const ADMIN_PAGES: &[(&str, Page)] = &[
    ("/admin", page(HTML, include_bytes!("admin/index.html"))),
    ("/admin/admin.css", page(CSS, include_bytes!("admin/admin.css"))),
    ("/admin/admin.js", page(SCRIPT, include_bytes!("admin/admin.js"))),
    ("/admin/icon.svg", ICON),
];

/// Adds the pages to what is served.
pub(crate) fn serve(builder: Builder) -> Builder {
    let builder = PAGES.iter().fold(builder, |builder, (path, page)| builder.page(path, *page));
    ADMIN_PAGES.iter().fold(builder, |builder, (path, page)| builder.admin_page(path, *page))
}
