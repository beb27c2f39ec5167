// A page for people that is one file: no script, no request to anywhere (its own policy forbids both), light or dark as
// the browser is. Whatever is put into it passes escaped(): reports may come from anybody.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace millrace {

/// As text or as an attribute's value between quotes.
std::string escaped(std::string_view text);

/// `body` as it is, the title escaped.
std::string html_page(std::string_view title, const std::string& body);

/// Rows of text, the first row is the head; what it holds is escaped. Columns behind the first are numbers where
/// `is_numeric`.
enum class TableKind : std::uint8_t { kTexts, kNumbers };
std::string html_table(std::string_view caption, const std::vector<std::vector<std::string>>& rows, TableKind kind);

}  // namespace millrace
