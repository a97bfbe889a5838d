#include "daemon/config/reader.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace conductor::config {
namespace {

int line_number(const toml::source_region& source) {
    return static_cast<int>(source.begin.line);
}

std::string_view type_name(const toml::node& node) {
    switch (node.type()) {
        case toml::node_type::none: return "nothing";
        case toml::node_type::table: return "a table";
        case toml::node_type::array: return "an array";
        case toml::node_type::string: return "a string";
        case toml::node_type::integer: return "an integer";
        case toml::node_type::floating_point: return "a number with a fraction";
        case toml::node_type::boolean: return "true or false";
        case toml::node_type::date: return "a date";
        case toml::node_type::time: return "a time";
        case toml::node_type::date_time: return "a date with a time";
    }
    return "something else";
}

}  // namespace

Section::Section(Report& report, const toml::table* table, std::string path, int line)
    : report_{&report}, table_{table}, path_{std::move(path)}, line_{line} {}

bool Section::has(std::string_view key) const {
    return table_ && table_->contains(key);
}

int Section::line_of(std::string_view key) const {
    const toml::node* n = table_ ? table_->get(key) : nullptr;
    return n ? line_number(n->source()) : line_;
}

std::string Section::path_of(std::string_view key) const {
    if (key.empty()) return path_;
    return path_.empty() ? std::string{key} : path_ + "." + std::string{key};
}

void Section::problem(std::string_view key, std::string message) {
    report_->add(line_of(key), path_of(key), std::move(message));
}

void Section::warning(std::string_view key, std::string message) {
    report_->warnings.push_back({report_->file, line_of(key), path_of(key), std::move(message)});
}

const toml::node* Section::node(std::string_view key) {
    known_.emplace_back(key);
    return table_ ? table_->get(key) : nullptr;
}

std::string Section::type_message(const toml::node& n, std::string_view wanted) const {
    return fmt::format("is {}, but must be {}", type_name(n), wanted);
}

void Section::boolean(std::string_view key, bool& to) {
    const toml::node* n = node(key);
    if (!n) return;
    if (const auto* v = n->as_boolean())
        to = v->get();
    else
        problem(key, type_message(*n, "true or false"));
}

void Section::integer(std::string_view key, std::int64_t& to, std::int64_t least, std::int64_t most) {
    const toml::node* n = node(key);
    if (!n) return;
    const auto* v = n->as_integer();
    if (!v) return problem(key, type_message(*n, "a whole number"));
    if (v->get() < least || v->get() > most) return problem(key, fmt::format("{} is out of range: {} to {}", v->get(), least, most));
    to = v->get();
}

void Section::integer(std::string_view key, int& to, int least, int most) {
    std::int64_t wide = to;
    integer(key, wide, std::int64_t{least}, std::int64_t{most});
    to = static_cast<int>(wide);
}

void Section::real(std::string_view key, double& to, double least, double most) {
    const toml::node* n = node(key);
    if (!n) return;
    const auto v = n->is_number() ? n->value<double>() : std::nullopt;
    if (!v) return problem(key, type_message(*n, "a number"));
    if (!(*v >= least && *v <= most)) return problem(key, fmt::format("{} is out of range: {} to {}", *v, least, most));
    to = *v;
}

bool Section::text(std::string_view key, std::string& to, std::size_t most) {
    const toml::node* n = node(key);
    if (!n) return false;
    const auto* v = n->as_string();
    if (!v) return problem(key, type_message(*n, "a string")), false;
    if (v->get().size() > most) return problem(key, fmt::format("is longer than {} octets", most)), false;
    const auto control = [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\n') || c == 0x7f; };
    if (std::any_of(v->get().begin(), v->get().end(), control)) return problem(key, "contains a control character"), false;
    to = v->get();
    return true;
}

void Section::duration(std::string_view key, milliseconds& to, milliseconds least, milliseconds most) {
    const toml::node* n = node(key);
    if (!n) return;
    const auto* v = n->as_string();
    if (!v) return problem(key, type_message(*n, "a duration in quotes, such as \"30s\""));
    const auto d = parse_duration(v->get());
    if (!d) return problem(key, fmt::format("\"{}\" is no duration: a whole number and one of the units ms, s, m, h, d", v->get()));
    if (*d < least || *d > most) return problem(key, fmt::format("{} is out of range: {} to {}", v->get(), to_text(least), to_text(most)));
    to = *d;
}

void Section::duration(std::string_view key, std::optional<milliseconds>& to, milliseconds least, milliseconds most) {
    const toml::node* n = node(key);
    if (!n) return;
    if (const auto* v = n->as_string(); v && v->get() == "auto") {
        to.reset();
        return;
    }
    const std::size_t before = report_->problems.size();
    milliseconds d = least;
    duration(key, d, least, most);
    if (report_->problems.size() == before)
        to = d;
    else
        report_->problems.back().message += "; or \"auto\"";
}

bool Section::choice(std::string_view key, std::size_t& to, const std::vector<std::string_view>& words) {
    std::string word;
    if (!text(key, word)) return false;
    const auto found = std::find(words.begin(), words.end(), word);
    if (found == words.end()) {
        const std::vector<std::string> known{words.begin(), words.end()};
        problem(key, fmt::format("\"{}\" is not one of {}{}", word, fmt::join(words, ", "), did_you_mean(word, known)));
        return false;
    }
    to = static_cast<std::size_t>(found - words.begin());
    return true;
}

void Section::window(std::string_view key, Window& to) {
    std::string written;
    if (!text(key, written)) return;
    if (const auto w = parse_window(written))
        to = *w;
    else
        problem(key, fmt::format("\"{}\" is no window: HH:MM-HH:MM with different ends, 00:00-24:00 for always", written));
}

bool Section::strings(std::string_view key, std::vector<Item>& to, std::size_t most) {
    const toml::node* n = node(key);
    if (!n) return false;
    const auto* array = n->as_array();
    if (!array) return problem(key, type_message(*n, "an array of strings")), false;
    if (array->size() > most) return problem(key, fmt::format("has {} elements, at most {} are allowed", array->size(), most)), false;
    std::vector<Item> items;
    for (const toml::node& element : *array) {
        const auto* v = element.as_string();
        if (!v) {
            report_->add(line_number(element.source()), path_of(key), "an element " + type_message(element, "a string"));
            return false;
        }
        items.push_back({v->get(), line_number(element.source())});
    }
    to = std::move(items);
    return true;
}

bool Section::integers(std::string_view key, std::vector<std::int64_t>& to, std::size_t most) {
    const toml::node* n = node(key);
    if (!n) return false;
    const auto* array = n->as_array();
    if (!array) return problem(key, type_message(*n, "an array of whole numbers")), false;
    if (array->size() > most) return problem(key, fmt::format("has {} elements, at most {} are allowed", array->size(), most)), false;
    std::vector<std::int64_t> values;
    for (const toml::node& element : *array) {
        const auto* v = element.as_integer();
        if (!v) {
            report_->add(line_number(element.source()), path_of(key), "an element " + type_message(element, "a whole number"));
            return false;
        }
        values.push_back(v->get());
    }
    to = std::move(values);
    return true;
}

bool Section::days(std::string_view key, Days& to) {
    std::vector<Item> items;
    if (!strings(key, items, 7)) return false;
    Days days = 0;
    for (const Item& item : items) {
        const auto* found = std::find(std::begin(day_names), std::end(day_names), item.text);
        if (found == std::end(day_names)) {
            const std::vector<std::string> known{std::begin(day_names), std::end(day_names)};
            report_->add(item.line, path_of(key),
                         fmt::format("\"{}\" is no day: {}{}", item.text, fmt::join(day_names, ", "), did_you_mean(item.text, known)));
            return false;
        }
        days |= 1u << (found - std::begin(day_names));
    }
    if (days == 0) return problem(key, "names no day, so nothing would ever be sent"), false;
    to = days;
    return true;
}

void Section::dates(std::string_view key, std::vector<Date>& to) {
    const toml::node* n = node(key);
    if (!n) return;
    const auto* array = n->as_array();
    if (!array) return problem(key, type_message(*n, "an array of dates"));
    if (array->size() > 366) return problem(key, "has more than 366 dates");
    std::vector<Date> dates;
    for (const toml::node& element : *array) {
        std::optional<Date> d;
        if (const auto* v = element.as_date()) d = Date{v->get().year, v->get().month, v->get().day};
        if (const auto* v = element.as_string()) d = parse_date(v->get());
        if (d)
            dates.push_back(*d);
        else
            report_->add(line_number(element.source()), path_of(key), "an element is no date: \"2026-12-25\", or \"12-25\" for each year");
    }
    to = std::move(dates);
}

Section Section::table(std::string_view key) {
    const toml::node* n = node(key);
    const toml::table* t = n ? n->as_table() : nullptr;
    if (n && !t) problem(key, type_message(*n, "a table"));
    return Section{*report_, t, path_of(key), line_of(key)};
}

std::vector<Section> Section::tables(std::string_view key, std::size_t most) {
    std::vector<Section> out;
    const toml::node* n = node(key);
    if (!n) return out;
    const auto* array = n->as_array();
    if (!array) {
        problem(key, type_message(*n, fmt::format("an array of tables: write [[{}]]", key)));
        return out;
    }
    if (array->size() > most) {
        problem(key, fmt::format("there are {}, at most {} are allowed", array->size(), most));
        return out;
    }
    for (std::size_t i = 0; i < array->size(); ++i) {
        const toml::node& element = (*array)[i];
        const std::string path = fmt::format("{}[{}]", path_of(key), i);
        if (const auto* t = element.as_table())
            out.emplace_back(*report_, t, path, line_number(element.source()));
        else
            report_->add(line_number(element.source()), path, type_message(element, "a table"));
    }
    return out;
}

void Section::finish() {
    if (!table_) return;
    for (const auto& [key, value] : *table_) {
        const std::string_view name = key.str();
        if (std::find(known_.begin(), known_.end(), name) != known_.end()) continue;
        report_->add(line_number(key.source()), path_of(name), "unknown key" + did_you_mean(name, known_));
    }
}

}  // namespace conductor::config
