#include "tools/modemsim/core/settings.hpp"

#include <charconv>

namespace conductor::modemsim {
namespace {

struct Quantity {
    double value;
    double unit;  ///< milliseconds; 0 when no unit was written
};

std::optional<Quantity> parse_quantity(std::string_view text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || value < 0) return std::nullopt;
    const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
    if (unit.empty()) return Quantity{value, 0};
    if (unit == "ms") return Quantity{value, 1};
    if (unit == "s") return Quantity{value, 1000};
    if (unit == "m") return Quantity{value, 60'000};
    if (unit == "h") return Quantity{value, 3'600'000};
    return std::nullopt;
}

Duration to_duration(Quantity q, double default_unit) {
    return Duration{static_cast<Duration::rep>(q.value * (q.unit > 0 ? q.unit : default_unit))};
}

}  // namespace

std::optional<Range> parse_range(std::string_view text) {
    const auto dash = text.find('-');
    const auto least = parse_quantity(text.substr(0, dash));
    if (!least) return std::nullopt;
    if (dash == std::string_view::npos) return Range{to_duration(*least, 1), to_duration(*least, 1)};
    const auto most = parse_quantity(text.substr(dash + 1));
    if (!most) return std::nullopt;
    const Range range{to_duration(*least, most->unit > 0 ? most->unit : 1), to_duration(*most, 1)};
    if (range.most < range.least) return std::nullopt;
    return range;
}

}  // namespace conductor::modemsim
