#pragma once
// The comma-separated fields of an information line, as tolerant as the modems of MODEMS.md are careless.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace conductor::at {

struct AtField {
    std::string text;  ///< without quotes and outer blanks
    bool quoted = false;
};

/// The fields behind the first ':' of a line (all of it where there is none). A quote that never closes ends at the next comma (T39:
/// "0B,"0100701",7); brackets keep their commas: ("SM","ME"),(0-1) is two fields.
class Fields {
public:
    explicit Fields(std::string_view line);
    std::size_t size() const { return fields_.size(); }
    /// Empty text where the field is missing.
    const AtField& operator[](std::size_t i) const;
    std::string text(std::size_t i) const { return (*this)[i].text; }
    std::optional<int> number(std::size_t i) const;
    /// The last field that is a number: the PDU length in every form of +CMGR, +CMGL, +CMT (T33, FIELD rows 20, 29, 63).
    std::optional<int> last_number() const;

private:
    std::vector<AtField> fields_;
};

/// The quoted words inside brackets, in order: ("SM","ME","SR") -> SM ME SR.
std::vector<std::string> quoted_words(std::string_view text);

}  // namespace conductor::at
