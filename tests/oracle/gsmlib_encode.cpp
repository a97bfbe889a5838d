// Makes PDUs with gsmlib (Debian: libgsmme-dev), an encoder that shares nothing with ours. Reads one PDU a line, as field operations:
//   octet N | bits N | bit N | addr NUMBER | sca NUMBER | digits SEMI-OCTETS | septets | fill | text HEX
// and writes its hex. (Its time stamp encoder ends in an assertion, so time stamps go in as semi-octets.)
// Not part of the build: g++ -std=c++14 gsmlib_encode.cpp -lgsmme -o gsmlib_encode
#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string>

#include <gsmlib/gsm_sms_codec.h>

namespace {

std::string from_hex(const std::string& hex) {
    std::string out;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2) out.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
    return out;
}

void perform(gsmlib::SMSEncoder& e, const std::string& op, std::istream& in) {
    int number = 0;
    std::string word;
    if (op == "octet" && in >> number) e.setOctet(static_cast<unsigned char>(number));
    if (op == "bits" && in >> number) e.set2Bits(static_cast<unsigned char>(number));
    if (op == "bit" && in >> number) e.setBit(number != 0);
    if ((op == "addr" || op == "sca") && in >> word) {
        gsmlib::Address address{word == "-" ? "" : word};
        e.setAddress(address, op == "sca");
    }
    if (op == "digits" && in >> word) e.setSemiOctets(word);
    if (op == "septets") e.markSeptet();
    if (op == "fill") e.alignSeptet();
    if (op == "text" && in >> word) e.setString(from_hex(word));
}

}  // namespace

int main() {
    for (std::string line; std::getline(std::cin, line);) {
        std::istringstream in{line};
        gsmlib::SMSEncoder e;
        for (std::string op; in >> op;) perform(e, op, in);
        e.alignOctet();
        std::cout << e.getHexString() << '\n';
    }
}
