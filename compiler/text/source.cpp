#include "text/source.h"

#include <algorithm>

#include "diagnostics/diagnostic.h"

namespace stmpy::compiler {

namespace {

bool is_encoding_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
         c == '.';
}

// The declaration in a line of the form `^[ \t\f]*#.*?coding[:=][ \t]*([-_.a-zA-Z0-9]+)`, or an empty view.
std::string_view declared_in(std::string_view line) {
  const size_t comment = line.find_first_not_of(" \t\f");
  if (comment == std::string_view::npos || line[comment] != '#') return {};
  constexpr std::string_view kCoding = "coding";
  for (size_t at = line.find(kCoding, comment); at != std::string_view::npos;
       at = line.find(kCoding, at + 1)) {
    size_t name = at + kCoding.size();
    if (name >= line.size() || (line[name] != ':' && line[name] != '=')) continue;
    name = std::min(line.find_first_not_of(" \t", name + 1), line.size());
    const auto end =
        std::find_if_not(line.begin() + static_cast<ptrdiff_t>(name), line.end(), is_encoding_character);
    const auto size = static_cast<size_t>(end - line.begin()) - name;
    if (size > 0) return line.substr(name, size);
  }
  return {};
}

// A second line declares an encoding only behind a first one that holds nothing but a comment.
bool is_blank_or_comment(std::string_view line) {
  const size_t first = line.find_first_not_of(" \t\f");
  return first == std::string_view::npos || line[first] == '#';
}

bool names_utf8(std::string_view name) {
  std::string normal;
  for (const char c : name.substr(0, 12)) {
    normal += c == '_' ? '-' : static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  }
  return normal == "utf-8" || normal.starts_with("utf-8-") || normal == "utf8";
}

}  // namespace

SourceEncoding find_encoding(std::string_view bytes) {
  SourceEncoding encoding{"utf-8"};
  const bool marked = bytes.starts_with("\xef\xbb\xbf");
  if (marked) encoding.text_start = 3;
  uint32_t start = encoding.text_start;
  for (int line_number = 0; line_number < 2 && start < bytes.size(); ++line_number) {
    const auto end = static_cast<uint32_t>(std::min(bytes.find_first_of("\r\n", start), bytes.size()));
    const std::string_view line = bytes.substr(start, end - start);
    if (const std::string_view declared = declared_in(line); !declared.empty()) {
      if (names_utf8(declared)) return encoding;
      if (marked)
        throw Refusal(rules::unreadable_text, start,
                      "the byte order mark is UTF-8's, the declaration is not");
      encoding.name = declared;
      encoding.is_utf8 = false;
      return encoding;
    }
    if (!is_blank_or_comment(line)) break;
    start = end + (bytes.substr(end).starts_with("\r\n") ? 2 : 1);
  }
  return encoding;
}

size_t find_invalid_utf8(std::string_view bytes) {
  const auto continues = [&](size_t at) {
    return at < bytes.size() && (static_cast<uint8_t>(bytes[at]) & 0xc0) == 0x80;
  };
  for (size_t i = 0; i < bytes.size();) {
    const auto lead = static_cast<uint8_t>(bytes[i]);
    const auto next = i + 1 < bytes.size() ? static_cast<uint8_t>(bytes[i + 1]) : uint8_t{0};
    if (lead < 0x80) {
      i += 1;
    } else if (lead >= 0xc2 && lead < 0xe0 && continues(i + 1)) {
      i += 2;
    } else if (lead >= 0xe0 && lead < 0xf0 && continues(i + 1) && continues(i + 2) &&
               !(lead == 0xe0 && next < 0xa0) && !(lead == 0xed && next >= 0xa0)) {
      i += 3;
    } else if (lead >= 0xf0 && lead < 0xf5 && continues(i + 1) && continues(i + 2) && continues(i + 3) &&
               !(lead == 0xf0 && next < 0x90) && !(lead == 0xf4 && next >= 0x90)) {
      i += 4;
    } else {
      return i;
    }
  }
  return bytes.size();
}

}  // namespace stmpy::compiler
