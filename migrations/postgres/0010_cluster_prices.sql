-- Rows of a table have no order of their own here: a page of whole items is read by the key and from pages that the
-- server reads ahead. The number is kept, so that both databases are of the same version.
select 1;
