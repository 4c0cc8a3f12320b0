-- Nothing looks memories up by their content, and an index taxes every insert.
drop index memories_by_content;
