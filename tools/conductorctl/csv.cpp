#include "tools/conductorctl/csv.hpp"

#include <utility>

namespace conductor::ctl {
namespace {

constexpr std::size_t longest_field = 256 * 1024;
constexpr int end = std::char_traits<char>::eof();

}  // namespace

/// The part behind an opening quote, up to its closing one.
bool CsvReader::quoted(std::string& out) {
    const int began = line_;
    for (;;) {
        const int c = in_.get();
        if (c == end || out.size() > longest_field) {
            problem_ = "line " + std::to_string(began) + ": a quoted field is not closed";
            return false;
        }
        if (c == '\n') ++line_;
        if (c != '"') {
            out += static_cast<char>(c);
        } else if (in_.peek() == '"') {
            in_.get();
            out += '"';
        } else {
            return true;
        }
    }
}

/// One field and its separator; `last` when it ended its record.
bool CsvReader::field(std::string& out, bool& last) {
    if (in_.peek() == '"') {
        in_.get();
        if (!quoted(out)) return false;
        if (in_.peek() == '\r') in_.get();
        const int after = in_.get();
        last = after != ',';
        if (after == '\n') ++line_;
        if (after == ',' || after == '\n' || after == end) return true;
        problem_ = "line " + std::to_string(line_) + ": a comma or the end of the line is expected after a closing quote";
        return false;
    }
    for (;;) {
        const int c = in_.get();
        last = c != ',';
        if (c == ',' || c == end) return true;
        if (c == '\n') {
            ++line_;
            if (out.ends_with('\r')) out.pop_back();
            return true;
        }
        out += static_cast<char>(c);
        if (out.size() <= longest_field) continue;
        problem_ = "line " + std::to_string(line_) + ": a field is too long";
        return false;
    }
}

std::optional<CsvRecord> CsvReader::next() {
    if (!std::exchange(started_, true) && in_.peek() == 0xEF) {
        std::string mark(3, '\0');
        in_.read(mark.data(), 3);
        if (mark != "\xEF\xBB\xBF") {
            problem_ = "line 1: not UTF-8";
            return std::nullopt;
        }
    }
    while (problem_.empty() && in_.peek() != end) {
        CsvRecord record;
        record.line = line_;
        for (bool last = false; !last;)
            if (!field(record.fields.emplace_back(), last)) return std::nullopt;
        if (record.fields.size() > 1 || !record.fields.front().empty()) return record;
    }
    return std::nullopt;
}

}  // namespace conductor::ctl
