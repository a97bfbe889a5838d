#include "modem/profile/generic.hpp"

namespace conductor::profile {
namespace {

constexpr Profile generic_profile = make_generic("generic");

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool holds(std::string_view text, std::string_view word) {
    for (std::size_t at = 0; at + word.size() <= text.size(); ++at) {
        std::size_t i = 0;
        while (i < word.size() && lower(text[at + i]) == lower(word[i])) ++i;
        if (i == word.size()) return true;
    }
    return false;
}

bool any_in(std::span<const std::string_view> words, std::string_view text) {
    for (const std::string_view word : words)
        if (holds(text, word)) return true;
    return false;
}

// Model words of a part of a maker's modems stand before the maker. Qualcomm is last: others sell its designs under their model's name.
const Family* const all[] = {&simcom_classic, &simcom_catm, &simcom,  &huawei_late_sim, &huawei, &zte,    &quectel_serial, &quectel, &ublox,
                             &telit,          &cinterion,   &siemens, &sierra_wavecom,  &neoway, &phones, &stored_reports, &qualcomm};

}  // namespace

const Profile& generic() {
    return generic_profile;
}

const Profile& profile_for(std::string_view manufacturer, std::string_view model) {
    for (const Family* family : all)
        if (any_in(family->models, model) || any_in(family->manufacturers, manufacturer)) return *family->profile;
    return generic_profile;
}

}  // namespace conductor::profile
