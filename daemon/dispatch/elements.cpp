#include "daemon/dispatch/elements.hpp"

#include <algorithm>
#include <utility>

namespace conductor::dispatch {
namespace {

constexpr std::pair<Elements::Element, std::string_view> names[] = {
    {Elements::report, "report"}, {Elements::validity, "validity"}, {Elements::message_class, "class"}};

constexpr std::pair<std::string_view, unsigned> blamed[] = {
    {"cms-69", Elements::report | Elements::validity},
    {"cms-99", Elements::report | Elements::validity | Elements::message_class},
    {"cms-145", Elements::message_class},
    {"cms-198", Elements::validity},
    {"cms-199", Elements::validity},
};

}  // namespace

std::string Elements::text() const {
    std::string out;
    for (const auto& [element, name] : names)
        if (has(element)) out += (out.empty() ? "" : ",") + std::string{name};
    return out;
}

Elements Elements::of_text(std::string_view text) {
    Elements found;
    while (!text.empty()) {
        const std::string_view word = text.substr(0, text.find(','));
        for (const auto& [element, name] : names)
            if (word == name) found = found | Elements{element};
        text.remove_prefix(std::min(text.size(), word.size() + 1));
    }
    return found;
}

Elements blamed_by(std::string_view reason) {
    for (const auto& [word, elements] : blamed)
        if (word == reason) return elements;
    return {};
}

}  // namespace conductor::dispatch
