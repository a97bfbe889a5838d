#pragma once
// What people see: tables, local times, colours on a terminal alone, and texts of strangers made harmless.
#include <iosfwd>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/clock.hpp"

namespace conductor::ctl {

/// The world of one command: streams, and what is known about them.
struct Io {
    std::istream& in;
    std::ostream& out;  ///< data
    std::ostream& err;  ///< for people
    bool out_is_terminal = false, err_is_terminal = false;
    WallTime now{};
};

enum class Colour { none, green, yellow, red, dim, bold };
/// `text` in a colour, or as it is when `on` is false.
std::string coloured(std::string_view text, Colour colour, bool on);
/// Colour of a message's status or a modem's state.
Colour colour_of(std::string_view status);

/// What a file holds; empty when it cannot be read (errno says why), as a folder cannot.
std::optional<std::string> read_file(const std::string& path);

/// Control characters, and those that turn the direction of what follows, as "·" (an SMS must not steer a terminal); line breaks as "⏎".
std::string printable(std::string_view text);
/// At most `most` characters, with "…" where it was cut.
std::string shortened(std::string_view text, std::size_t most);
/// "2026-11-21 10:00:00 PST": the zone of TZ or the system.
std::string local_time(WallTime t);
/// What a person writes as a time: RFC 3339, "2026-11-21 18:30", "18:30" (the next one), "+10m".
std::optional<WallTime> parse_time(std::string_view written, WallTime now);

/// Columns as wide as their widest cell; the last is not padded.
class Table {
public:
    explicit Table(std::vector<std::string> header) : rows_{std::move(header)} {}
    /// `colour` is of the cell in `coloured_column`.
    void add(std::vector<std::string> row, std::size_t coloured_column = 0, Colour colour = Colour::none);
    void print(std::ostream& out, bool colours) const;

private:
    struct Row {
        Row(std::vector<std::string> c) : cells{std::move(c)} {}
        std::vector<std::string> cells;
        std::size_t coloured_column = 0;
        Colour colour = Colour::none;
    };
    std::vector<Row> rows_;
};

/// A member as text for a cell: strings as they are, null and absent as "-", true/false as yes/no; objects and arrays as JSON.
std::string cell(const nlohmann::json& object, std::string_view name);
/// A member that is a time, in local time; "-" when absent.
std::string time_cell(const nlohmann::json& object, std::string_view name);
/// "name: value" lines of an object, aligned; nested objects are indented.
void print_object(std::ostream& out, const nlohmann::json& object, int indent = 0);

}  // namespace conductor::ctl
