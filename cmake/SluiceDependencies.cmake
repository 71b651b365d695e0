# Debian 12's libraries, each as an imported target `dep_NAME`.  README.md says why each is there.
find_package(PkgConfig REQUIRED)
foreach(pair jansson:jansson crypto:libcrypto curl:libcurl yaml:yaml-0.1 pq:libpq
             microhttpd:libmicrohttpd gnutls:gnutls jwt:libjwt expat:expat zlib:zlib check:check)
  string(REPLACE ":" ";" pair "${pair}")
  list(GET pair 0 name)
  list(GET pair 1 module)
  pkg_check_modules(${name} REQUIRED IMPORTED_TARGET ${module})
  add_library(dep_${name} ALIAS PkgConfig::${name})
endforeach()
