#pragma once
// Reads one TOML table key by key. Whatever was not asked for when the table is finished is an unknown key.
#include <toml++/toml.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/config/config.hpp"

namespace conductor::config {

/// Where all problems of one file gather.
struct Report {
    std::string file;
    std::vector<Problem> problems, warnings;
    void add(int line, std::string key, std::string message) { problems.push_back({file, line, std::move(key), std::move(message)}); }
};

/// One element of an array of strings, with its line for further problems.
struct Item {
    std::string text;
    int line = 0;
};

/// A table of the file or its absence. Every getter leaves its target unchanged where the key is absent or wrong.
class Section {
public:
    /// `line` is that of the table's own key, for what is missing in it.
    Section(Report& report, const toml::table* table, std::string path, int line);
    Section(const Section&) = delete;
    Section& operator=(const Section&) = delete;
    Section(Section&&) = default;
    ~Section() = default;

    bool present() const { return table_ != nullptr; }
    bool has(std::string_view key) const;
    int line() const { return line_; }
    /// Line of a key's value, or the section's line.
    int line_of(std::string_view key) const;
    std::string path_of(std::string_view key) const;
    void problem(std::string_view key, std::string message);
    /// It can be used, but not as it was meant.
    void warning(std::string_view key, std::string message);

    void boolean(std::string_view key, bool& to);
    void integer(std::string_view key, std::int64_t& to, std::int64_t least, std::int64_t most);
    void integer(std::string_view key, int& to, int least, int most);
    void real(std::string_view key, double& to, double least, double most);
    /// At most `most` octets, no control characters but a line feed.
    bool text(std::string_view key, std::string& to, std::size_t most = 255);
    void duration(std::string_view key, milliseconds& to, milliseconds least, milliseconds most);
    /// "auto", or a duration.
    void duration(std::string_view key, std::optional<milliseconds>& to, milliseconds least, milliseconds most);
    /// One of `words`; the index of it goes to `to`.
    bool choice(std::string_view key, std::size_t& to, const std::vector<std::string_view>& words);
    void window(std::string_view key, Window& to);
    bool days(std::string_view key, Days& to);
    void dates(std::string_view key, std::vector<Date>& to);
    /// False when absent or not an array of strings of at most `most` elements.
    bool strings(std::string_view key, std::vector<Item>& to, std::size_t most);
    bool integers(std::string_view key, std::vector<std::int64_t>& to, std::size_t most);

    Section table(std::string_view key);
    std::vector<Section> tables(std::string_view key, std::size_t most);
    /// The raw value for a key with several types; marks it as known.
    const toml::node* node(std::string_view key);
    std::string type_message(const toml::node& node, std::string_view wanted) const;

    /// Reports every key that nobody asked for.
    void finish();

private:
    Report* report_;
    const toml::table* table_;
    std::string path_;
    int line_;
    std::vector<std::string> known_;
};

/// The nearest of `known` by edit distance (a transposition counts one), when it is near enough to be a slip: at most a third of its
/// length.
std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& known);
/// " (did you mean \"…\"?)" or nothing.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& known);
/// "30s", "5m", "1h", "7d": the largest unit that is exact.
std::string to_text(milliseconds d);
std::string to_text(const Window& w);
std::string to_text(const Date& d);
std::optional<Date> parse_date(std::string_view text);
constexpr std::string_view day_names[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

}  // namespace conductor::config
