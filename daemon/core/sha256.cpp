#include "daemon/core/sha256.hpp"

#include <sha2.h>

#include <algorithm>

namespace conductor {

static_assert(sizeof(Sha256) == SHA256_DIGEST_LENGTH);

Sha256 sha256(std::string_view octets) {
    Sha256 digest{};
    SHA2_CTX context{};
    ::SHA256Init(&context);
    ::SHA256Update(&context, reinterpret_cast<const std::uint8_t*>(octets.data()), octets.size());
    ::SHA256Final(digest.data(), &context);
    return digest;
}

std::string hex_of(const Sha256& digest, std::size_t octets) {
    std::string hex;
    for (std::size_t i = 0; i < std::min(octets, digest.size()); ++i) {
        hex += "0123456789abcdef"[digest[i] >> 4];
        hex += "0123456789abcdef"[digest[i] & 15];
    }
    return hex;
}

}  // namespace conductor
