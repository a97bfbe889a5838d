// Which language has which tables. The national tables are data files of their own, national_*.cpp.
#include "modem/pdu/gsm7.hpp"
#include "modem/pdu/national.hpp"

namespace conductor::pdu {
namespace {

// GSM 7 bit default alphabet, TS 23.038 §6.2.1. Position 0x1B escapes to the single shift table.
constexpr Table default_alphabet = {u'@', u'£', u'$', u'¥', u'è', u'é', u'ù', u'ì',  u'ò', u'Ç', u'\n', u'Ø', u'ø', u'\r', u'Å', u'å',  //
                                    u'Δ', u'_', u'Φ', u'Γ', u'Λ', u'Ω', u'Π', u'Ψ',  u'Σ', u'Θ', u'Ξ',  0,    u'Æ', u'æ',  u'ß', u'É',  //
                                    u' ', u'!', u'"', u'#', u'¤', u'%', u'&', u'\'', u'(', u')', u'*',  u'+', u',', u'-',  u'.', u'/',  //
                                    u'0', u'1', u'2', u'3', u'4', u'5', u'6', u'7',  u'8', u'9', u':',  u';', u'<', u'=',  u'>', u'?',  //
                                    u'¡', u'A', u'B', u'C', u'D', u'E', u'F', u'G',  u'H', u'I', u'J',  u'K', u'L', u'M',  u'N', u'O',  //
                                    u'P', u'Q', u'R', u'S', u'T', u'U', u'V', u'W',  u'X', u'Y', u'Z',  u'Ä', u'Ö', u'Ñ',  u'Ü', u'§',  //
                                    u'¿', u'a', u'b', u'c', u'd', u'e', u'f', u'g',  u'h', u'i', u'j',  u'k', u'l', u'm',  u'n', u'o',  //
                                    u'p', u'q', u'r', u's', u't', u'u', u'v', u'w',  u'x', u'y', u'z',  u'ä', u'ö', u'ñ',  u'ü', u'à'};

// GSM 7 bit default alphabet extension table, TS 23.038 §6.2.1.1.
constexpr Table default_extension = [] {
    Table t{};
    t[0x0A] = u'\f';
    t[0x14] = u'^';
    t[0x28] = u'{';
    t[0x29] = u'}';
    t[0x2F] = u'\\';
    t[0x3C] = u'[';
    t[0x3D] = u'~';
    t[0x3E] = u']';
    t[0x40] = u'|';
    t[0x65] = u'€';
    return t;
}();

}  // namespace

const Table* locking_table(std::uint8_t language) {
    return language == 0 ? &default_alphabet : national_locking_table(language);
}

const Table* single_shift_table(std::uint8_t language) {
    return language == 0 ? &default_extension : national_single_shift_table(language);
}

}  // namespace conductor::pdu
