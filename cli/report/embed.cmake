# cmake -D OUT=file.c -D HEADER=name.h -D "FILES=symbol=path,…" -P embed.cmake
# Makes a C file with the bytes of each file as `const unsigned char symbol[]` and their number as `symbol_size`.
set(text "#include \"${HEADER}\"\n")
string(REPLACE "," ";" FILES "${FILES}")
foreach(pair ${FILES})
    string(REGEX MATCH "^([a-z_]+)=(.*)$" matched "${pair}")
    set(symbol ${CMAKE_MATCH_1})
    file(READ "${CMAKE_MATCH_2}" hex HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
    string(APPEND text "const unsigned char ${symbol}[] = {${bytes}};\nconst size_t ${symbol}_size = sizeof ${symbol};\n")
endforeach()
file(WRITE "${OUT}" "${text}")
