#include "load/html_page.h"

namespace millrace {

namespace {

/// Two colours for two series, told apart by their dashes as well.
constexpr char kStyle[] =
    R"(:root{color-scheme:light dark;--ink:#1d2530;--soft:#5b6675;--line:#d5dbe3;--paper:#fff;--card:#f6f8fa;--one:#0b62c4;--two:#b3460f}
@media (prefers-color-scheme:dark){:root{--ink:#e6ebf2;--soft:#9aa7b8;--line:#38414e;--paper:#14181e;--card:#1c222a;--one:#6cb2ff;--two:#ffa166}}
body{margin:0 auto;max-width:70rem;padding:1.5rem;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .5rem}p{margin:.3rem 0;color:var(--soft)}
.warning{color:var(--two);font-weight:600}.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(30rem,1fr));gap:1rem}
figure{margin:0;padding:.75rem;background:var(--card);border:1px solid var(--line);border-radius:.5rem}
figcaption{font-weight:600}svg{display:block;width:100%;height:auto}
.scroll{overflow-x:auto}table{border-collapse:collapse;margin:.5rem 0}caption{text-align:left;font-weight:600;padding:.3rem 0}
th,td{padding:.2rem .8rem .2rem 0;text-align:left;border-bottom:1px solid var(--line);vertical-align:top}
.numbers th:not(:first-child),.numbers td:not(:first-child){text-align:right;font-variant-numeric:tabular-nums}
text{fill:var(--soft);font-size:11px}.grid{stroke:var(--line)}.one{stroke:var(--one);fill:var(--one)}.two{stroke:var(--two);fill:var(--two)}
polyline{fill:none!important;stroke-width:2}.two-line{stroke-dasharray:5 3}.mark{stroke:var(--ink);stroke-dasharray:2 3})";

}  // namespace

std::string escaped(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string html_page(std::string_view title, const std::string& body) {
  return "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
         "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
         "<meta name=\"viewport\" content=\"width=device-width\">\n<title>" +
         escaped(title) + "</title>\n<style>\n" + kStyle + "\n</style>\n</head>\n<body>\n" + body +
         "</body>\n</html>\n";
}

std::string html_table(std::string_view caption, const std::vector<std::vector<std::string>>& rows, TableKind kind) {
  std::string out = "<div class=\"scroll\"><table";
  if (kind == TableKind::kNumbers) out += " class=\"numbers\"";
  out += "><caption>" + escaped(caption) + "</caption>\n";
  for (std::size_t i = 0; i < rows.size(); ++i) {
    out += "<tr>";
    for (std::size_t column = 0; column < rows[i].size(); ++column) {
      const bool is_head = i == 0 || column == 0;
      out += is_head ? (i == 0 ? "<th scope=\"col\">" : "<th scope=\"row\">") : "<td>";
      out += escaped(rows[i][column]) + (is_head ? "</th>" : "</td>");
    }
    out += "</tr>\n";
  }
  return out + "</table></div>\n";
}

}  // namespace millrace
