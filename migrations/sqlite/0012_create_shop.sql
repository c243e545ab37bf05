-- What all amounts are in, from the first item or event on.
create table shop (
    one integer primary key not null check (one = 1),
    currency text not null               -- ISO 4217
);
