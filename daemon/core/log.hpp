#pragma once
// Log lines for journald: "<N>event key=value ..." on stderr. The object carries modem= and msg=, so callers never repeat them.
#include <fmt/format.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace conductor {

enum class Level : int { error = 3, warning = 4, notice = 5, info = 6, debug = 7 };  ///< syslog priorities

/// One key=value of a log line. Never a phone number or a text: those are wrapped by masked().
struct Field {
    std::string_view key;
    std::string value;
    template <class T>
    Field(std::string_view k, const T& v) : key{k}, value{fmt::format("{}", v)} {}
};

class Log {
public:
    using Sink = std::function<void(Level, std::string_view line)>;

    Log() = default;  ///< discards
    Log(std::shared_ptr<const Sink> sink, Level most) : sink_{std::move(sink)}, most_{most} {}

    /// A log whose lines also carry key=value.
    template <class T>
    Log with(std::string_view key, const T& value) const {
        Log copy = *this;
        copy.context_ += fmt::format(" {}={}", key, quoted(fmt::format("{}", value)));
        return copy;
    }
    void write(Level level, std::string_view event, std::initializer_list<Field> fields = {}) const;
    void error(std::string_view event, std::initializer_list<Field> fields = {}) const { write(Level::error, event, fields); }
    void warning(std::string_view event, std::initializer_list<Field> fields = {}) const { write(Level::warning, event, fields); }
    void notice(std::string_view event, std::initializer_list<Field> fields = {}) const { write(Level::notice, event, fields); }
    void info(std::string_view event, std::initializer_list<Field> fields = {}) const { write(Level::info, event, fields); }
    void debug(std::string_view event, std::initializer_list<Field> fields = {}) const { write(Level::debug, event, fields); }
    bool enabled(Level level) const { return sink_ && level <= most_; }

private:
    static std::string quoted(std::string value);
    std::shared_ptr<const Sink> sink_;
    Level most_ = Level::info;
    std::string context_;
};

/// A phone number for logs: the last three digits alone, "…123".
std::string masked(std::string_view phone_number);

}  // namespace conductor
