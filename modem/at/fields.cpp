#include "modem/at/fields.hpp"

#include "modem/at/at.hpp"

namespace conductor::at {
namespace {

/// Takes one field off the front of `rest`, with its comma.
AtField take(std::string_view& rest) {
    rest = trim(rest);
    AtField field;
    if (!rest.empty() && rest.front() == '"') {
        const std::size_t close = rest.find('"', 1);
        const std::size_t comma = close == std::string_view::npos ? rest.find(',', 1) : rest.find(',', close);
        const bool closed = close != std::string_view::npos &&
                            trim(rest.substr(close + 1, comma == std::string_view::npos ? comma : comma - close - 1)).empty();
        if (closed) {
            field = {std::string{rest.substr(1, close - 1)}, true};
            rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma);
            return field;
        }
        const std::size_t end = std::min(rest.find(',', 1), rest.size());
        field = {std::string{trim(rest.substr(1, end - 1))}, true};
        rest.remove_prefix(end);
        return field;
    }
    std::size_t end = 0;
    for (int depth = 0; end < rest.size() && (depth > 0 || rest[end] != ','); ++end) {
        if (rest[end] == '(') ++depth;
        if (rest[end] == ')') --depth;
    }
    field.text = trim(rest.substr(0, end));
    rest.remove_prefix(end);
    return field;
}

}  // namespace

Fields::Fields(std::string_view line) {
    if (const std::size_t colon = line.find(':'); colon != std::string_view::npos) line.remove_prefix(colon + 1);
    line = trim(line);
    if (line.empty()) return;
    for (;;) {
        fields_.push_back(take(line));
        if (line.empty()) return;
        line.remove_prefix(1);
    }
}

const AtField& Fields::operator[](std::size_t i) const {
    static const AtField missing;
    return i < fields_.size() ? fields_[i] : missing;
}

std::optional<int> Fields::number(std::size_t i) const {
    return to_int((*this)[i].text);
}

std::optional<int> Fields::last_number() const {
    for (std::size_t i = fields_.size(); i-- > 0;)
        if (const auto value = number(i)) return value;
    return std::nullopt;
}

std::vector<std::string> quoted_words(std::string_view text) {
    std::vector<std::string> words;
    for (std::size_t open = text.find('"'); open != std::string_view::npos; open = text.find('"', open)) {
        const std::size_t close = text.find('"', open + 1);
        if (close == std::string_view::npos) break;
        words.emplace_back(text.substr(open + 1, close - open - 1));
        open = close + 1;
    }
    return words;
}

}  // namespace conductor::at
