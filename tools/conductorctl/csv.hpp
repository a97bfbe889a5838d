#pragma once
// CSV as RFC 4180 has it, read in pieces, with the line where each record begins.
#include <functional>
#include <istream>
#include <optional>
#include <string>
#include <vector>

namespace conductor::ctl {

struct CsvRecord {
    int line = 0;  ///< of its first octet, from 1
    std::vector<std::string> fields;
};

/// Quotes may hold commas, quotes (doubled) and line breaks; lines end with LF or CRLF; empty lines are skipped; a UTF-8 mark at the start
/// is skipped.
class CsvReader {
public:
    explicit CsvReader(std::istream& in) : in_{in} {}
    /// The next record; empty at the end, or where `problem()` says what is wrong.
    std::optional<CsvRecord> next();
    const std::string& problem() const { return problem_; }

private:
    bool field(std::string& out, bool& last);
    bool quoted(std::string& out);
    std::istream& in_;
    int line_ = 1;
    bool started_ = false;
    std::string problem_;
};

}  // namespace conductor::ctl
