#pragma once
// The rows of `send --file`: CSV with a header, or NDJSON, to bodies of POST /v1/messages.
#include <istream>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "daemon/core/clock.hpp"

namespace conductor::ctl {

/// One row: a body, or what is wrong with the row (the others go on).
struct FileRow {
    int line = 0;
    std::string body;     ///< a JSON object on one line
    std::string problem;  ///< empty: the body is good
    std::string column;   ///< what the problem is about
};

class RowSource {
public:
    virtual ~RowSource() = default;
    virtual std::optional<FileRow> next() = 0;
    /// Not empty: the file cannot be read on; says where and why.
    virtual const std::string& problem() const = 0;
};

struct RowDefaults {
    std::string message_class = "transactional";  ///< of rows that name none
    WallTime now{};                               ///< for times as "18:30"
};

/// Columns: to, text, key, class, at (or due_at), expire_after, on_unknown, priority, modem (or modem_index), report, flash, consent,
/// in_reply_to. The header may be in any order; `to` and `text` must be there.
std::unique_ptr<RowSource> csv_rows(std::istream& in, RowDefaults defaults);
/// One JSON object a line, with the fields of the API.
std::unique_ptr<RowSource> ndjson_rows(std::istream& in, RowDefaults defaults);

}  // namespace conductor::ctl
