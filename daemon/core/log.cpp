#include "daemon/core/log.hpp"

namespace conductor {

std::string Log::quoted(std::string value) {
    if (!value.empty() && value.find_first_of(" \"=\n\r\t") == std::string::npos) return value;
    std::string out = "\"";
    for (const char c : value) {
        if (c == '"' || c == '\\') out += '\\';
        if (static_cast<unsigned char>(c) < 0x20) {
            out += fmt::format("\\x{:02x}", static_cast<unsigned>(c));
            continue;
        }
        out += c;
    }
    return out + '"';
}

void Log::write(Level level, std::string_view event, std::initializer_list<Field> fields) const {
    if (!enabled(level)) return;
    std::string line = fmt::format("<{}>{}{}", static_cast<int>(level), event, context_);
    for (const Field& field : fields) line += fmt::format(" {}={}", field.key, quoted(field.value));
    line += '\n';
    (*sink_)(level, line);
}

std::string masked(std::string_view phone_number) {
    if (phone_number.size() <= 3) return "…";
    return "…" + std::string{phone_number.substr(phone_number.size() - 3)};
}

}  // namespace conductor
