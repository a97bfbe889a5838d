#include "tools/conductorctl/rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "modem/pdu/unicode.hpp"
#include "tools/conductorctl/csv.hpp"
#include "tools/conductorctl/output.hpp"

namespace conductor::ctl {
namespace {

using nlohmann::json;

enum class Kind { text, time, whole, number, yes_no };
struct Column {
    std::string_view header, field;
    Kind kind;
};
constexpr Column columns[] = {
    {"to", "to", Kind::text},
    {"phone_number", "to", Kind::text},
    {"text", "text", Kind::text},
    {"content", "text", Kind::text},
    {"message_content", "text", Kind::text},
    {"key", "key", Kind::text},
    {"class", "class", Kind::text},
    {"at", "due_at", Kind::time},
    {"due_at", "due_at", Kind::time},
    {"scheduled_send_time", "due_at", Kind::time},
    {"expire_after", "expire_after", Kind::text},
    {"on_unknown", "on_unknown", Kind::text},
    {"priority", "priority", Kind::number},
    {"modem", "modem_index", Kind::whole},
    {"modem_index", "modem_index", Kind::whole},
    {"in_reply_to", "in_reply_to", Kind::whole},
    {"report", "report", Kind::yes_no},
    {"flash", "flash", Kind::yes_no},
    {"consent", "consent", Kind::yes_no},
    {"state", "state", Kind::text},
    {"time_zone", "time_zone", Kind::text},
    {"set", "set", Kind::text},
    {"campaign", "campaign_name", Kind::text},
    {"campaign_name", "campaign_name", Kind::text},
};

std::string lower(std::string_view text) {
    std::string out{text};
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return out;
}

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    return first == std::string_view::npos ? std::string_view{} : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

template <class T>
std::optional<T> number(std::string_view text) {
    T value{};
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
    return ec == std::errc{} && end == text.data() + text.size() ? std::optional{value} : std::nullopt;
}

std::optional<bool> yes_no(std::string_view text) {
    const std::string word = lower(text);
    if (word == "yes" || word == "true" || word == "1") return true;
    if (word == "no" || word == "false" || word == "0") return false;
    return std::nullopt;
}

/// A cell as JSON; an answer is what the cell should have been.
std::string_view convert(Kind kind, std::string_view cell, WallTime now, json& out) {
    switch (kind) {
        case Kind::text: out = cell; return {};
        case Kind::time: {
            const auto when = parse_time(trimmed(cell), now);
            if (when) out = to_rfc3339(*when);
            return when ? "" : "is no time (2026-11-21T18:00:00Z, 2026-11-21 18:00, 18:00, +10m)";
        }
        case Kind::whole: {
            const auto value = number<std::int64_t>(trimmed(cell));
            if (value) out = *value;
            return value ? "" : "is no whole number";
        }
        case Kind::number: {
            const auto value = number<double>(trimmed(cell));
            if (value) out = *value;
            return value ? "" : "is no number";
        }
        case Kind::yes_no: {
            const auto value = yes_no(trimmed(cell));
            if (value) out = *value;
            return value ? "" : "must be yes or no";
        }
    }
    return {};
}

std::string dump(const json& body) {
    return body.dump(-1, ' ', false, json::error_handler_t::replace);
}

class CsvRows final : public RowSource {
public:
    CsvRows(std::istream& in, RowDefaults defaults) : reader_{in}, defaults_{std::move(defaults)} { read_header(); }

    std::optional<FileRow> next() override {
        if (!problem_.empty()) return std::nullopt;
        const auto record = reader_.next();
        problem_ = reader_.problem();
        return record ? std::optional{row_of(*record)} : std::nullopt;
    }
    const std::string& problem() const override { return problem_; }

private:
    void read_header() {
        const auto header = reader_.next();
        problem_ = reader_.problem();
        if (!header && problem_.empty()) problem_ = "line 1: the file is empty; a header line is expected, as to,text";
        if (!header) return;
        for (const std::string& name : header->fields) {
            const std::string wanted = lower(trimmed(name));
            const auto* column = std::ranges::find(columns, wanted, [](const Column& c) { return std::string{c.header}; });
            if (column == std::end(columns)) {
                problem_ = fmt::format(
                    "line {}: column \"{}\" is not known; known are: to, text, key, class, at, expire_after, on_unknown, "
                    "priority, modem, report, flash, consent, in_reply_to",
                    header->line, printable(shortened(name, 40)));
                return;
            }
            if (std::ranges::find(columns_, column->field, &Column::field) != columns_.end()) {
                problem_ = fmt::format("line {}: column \"{}\" stands twice", header->line, column->field);
                return;
            }
            columns_.push_back(*column);
        }
        for (const std::string_view needed : {"to", "text"})
            if (std::ranges::find(columns_, needed, &Column::field) == columns_.end())
                problem_ = fmt::format("line {}: the header has no column \"{}\"", header->line, needed);
    }

    FileRow row_of(const CsvRecord& record) const {
        FileRow row;
        row.line = record.line;
        if (record.fields.size() != columns_.size()) {
            row.problem = fmt::format("has {} fields, the header has {}", record.fields.size(), columns_.size());
            return row;
        }
        json body = {{"class", defaults_.message_class}};
        for (std::size_t i = 0; i < columns_.size(); ++i) {
            if (!pdu::from_utf8(record.fields[i])) {
                row.problem = fmt::format("{} is not UTF-8: save the file in that encoding", columns_[i].header);
                row.column = columns_[i].header;
                return row;
            }
            if (record.fields[i].empty() && columns_[i].field != "text" && columns_[i].field != "to") continue;
            const std::string_view wrong = convert(columns_[i].kind, record.fields[i], defaults_.now, body[std::string{columns_[i].field}]);
            if (wrong.empty()) continue;
            row.problem = fmt::format("{} {}", columns_[i].header, wrong);
            row.column = columns_[i].header;
            return row;
        }
        row.body = dump(body);
        return row;
    }

    CsvReader reader_;
    RowDefaults defaults_;
    std::vector<Column> columns_;
    std::string problem_;
};

class NdjsonRows final : public RowSource {
public:
    NdjsonRows(std::istream& in, RowDefaults defaults) : in_{in}, defaults_{std::move(defaults)} {}

    std::optional<FileRow> next() override {
        std::string text;
        while (std::getline(in_, text)) {
            ++line_;
            if (!trimmed(text).empty() && text != "\r") return row_of(text);
        }
        return std::nullopt;
    }
    const std::string& problem() const override { return problem_; }

private:
    FileRow row_of(const std::string& text) const {
        FileRow row;
        row.line = line_;
        json body = json::parse(text, nullptr, false);
        if (!body.is_object()) {
            row.problem = "is no JSON object";
            return row;
        }
        if (!body.contains("class")) body["class"] = defaults_.message_class;
        row.body = dump(body);
        return row;
    }

    std::istream& in_;
    RowDefaults defaults_;
    int line_ = 0;
    std::string problem_;
};

}  // namespace

std::unique_ptr<RowSource> csv_rows(std::istream& in, RowDefaults defaults) {
    return std::make_unique<CsvRows>(in, std::move(defaults));
}

std::unique_ptr<RowSource> ndjson_rows(std::istream& in, RowDefaults defaults) {
    return std::make_unique<NdjsonRows>(in, std::move(defaults));
}

}  // namespace conductor::ctl
